"""The lesson with Flask: its signed session, its flash, Jinja's templates."""

import os

from flask import Flask, flash, redirect, render_template, request, session

app = Flask(__name__)
app.secret_key = os.environ["SESSION_SECRET"]
app.config["SESSION_COOKIE_SAMESITE"] = "Lax"

# The bare pages, without a layout.
PAGES = "plain/" if os.environ.get("PLAIN") == "true" else ""

FIELDS = {"name": 100, "alter_ego": 100, "catch_phrase": 280}


@app.get("/")
def heroes_new():
    return render_template(PAGES + "form.html", hero=session, wrong={})


@app.post("/heroes")
def heroes_create():
    hero = {field: request.form.get(field, "").strip() for field in FIELDS}
    wrong = {field: "Please fill in this field." for field, value in hero.items() if not value}
    wrong |= {field: "Please use fewer characters." for field, most in FIELDS.items() if len(hero[field]) > most}
    if wrong:
        return render_template(PAGES + "form.html", hero=hero, wrong=wrong), 422
    session.update(hero)
    flash(f"{hero['name']} is registered.", "success")
    return redirect("/success", 303)


@app.get("/success")
def heroes_success():
    if "name" not in session:
        return redirect("/", 303)
    return render_template(PAGES + "success.html")
