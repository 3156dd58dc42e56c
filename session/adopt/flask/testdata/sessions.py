"""Prints sessions of Flask, one per line as JSON: the cookie, and the values with their types."""

import base64
import datetime
import json
import random
import sys
import uuid

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from markupsafe import Markup

app = Flask(__name__)
app.secret_key = sys.argv[1]
chance = random.Random(sys.argv[2])


def text():
    return "".join(chance.choice('aZ9 "\\/\n\t\u00e9\u20ac\U0001f9b8') for _ in range(chance.randrange(12)))


def value(depth):
    kinds = ["str", "int", "float", "bool", "bytes", "markup", "uuid", "datetime"]
    if depth < 4:
        kinds += ["list", "tuple", "dict", "tagdict"]
    kind = chance.choice(kinds)
    if kind == "str":
        return text()
    if kind == "int":
        return chance.choice([0, 1, -1, 2**31, -(2**63), 2**63 - 1, chance.randrange(10**6)])
    if kind == "float":
        return chance.choice([0.0, -0.5, 1e300, 1e-9, 3.0, float("inf"), float("-inf"), chance.random()])
    if kind == "bool":
        return chance.random() < 0.5
    if kind == "bytes":
        return bytes(chance.randrange(256) for _ in range(chance.randrange(20)))
    if kind == "markup":
        return Markup("<b>") + text()
    if kind == "uuid":
        return uuid.UUID(int=chance.getrandbits(128))
    if kind == "datetime":
        return datetime.datetime(1980 + chance.randrange(100), 1 + chance.randrange(12), 1 + chance.randrange(28),
                                 chance.randrange(24), chance.randrange(60), chance.randrange(60), tzinfo=datetime.timezone.utc)
    if kind == "list":
        return [value(depth + 1) for _ in range(chance.randrange(4))]
    if kind == "tuple":
        return tuple(value(depth + 1) for _ in range(chance.randrange(4)))
    if kind == "tagdict":
        return {chance.choice([" t", " b", " di", " x"]): value(depth + 1)}
    return {text(): value(depth + 1) for _ in range(chance.randrange(4))}


def typed(v):
    """Returns v as the test in Go compares it."""
    if isinstance(v, bool):
        return {"bool": v}
    if isinstance(v, Markup) or isinstance(v, str):
        return {"string": str(v)}
    if isinstance(v, int):
        return {"int": str(v)}
    if isinstance(v, float):
        return {"float64": v.hex() if v == v and abs(v) != float("inf") else repr(v)}
    if isinstance(v, bytes):
        return {"[]uint8": base64.b64encode(v).decode()}
    if isinstance(v, uuid.UUID):
        return {"string": str(v)}
    if isinstance(v, datetime.datetime):
        return {"time.Time": int(v.timestamp())}
    if isinstance(v, (list, tuple)):
        return {"[]interface {}": [typed(item) for item in v]}
    return {"map[string]interface {}": {key: typed(item) for key, item in v.items()}}


serializer = SecureCookieSessionInterface().get_signing_serializer(app)
for _ in range(int(sys.argv[3])):
    session = {text() or "x": value(0) for _ in range(1 + chance.randrange(5))}
    if chance.random() < 0.2:
        session["padding"] = "x" * chance.randrange(3000)
    cookie = serializer.dumps(session)
    print(json.dumps({"cookie": cookie if isinstance(cookie, str) else cookie.decode(), "values": typed(session)}))
