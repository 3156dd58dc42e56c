"""Shows what the lesson does, and that anybody can read its session: python3 lesson_test.py"""

import base64
import json
import unittest
import zlib

from lesson import app

HERO = {"name": "Superman", "alter_ego": "Clark Kent", "catch_phrase": "Up, up and away!"}


class Lesson(unittest.TestCase):
    def test_a_hero_is_stored_and_shown(self):
        client = app.test_client()
        self.assertEqual(client.get("/success").location, "/")
        answer = client.post("/heroes", data=HERO)
        self.assertEqual((answer.status_code, answer.location), (303, "/success"))
        page = client.get("/success").text
        for text in [*HERO.values(), "Superman is registered."]:
            self.assertIn(text, page)
        self.assertNotIn("is registered.", client.get("/success").text)

    def test_the_session_can_be_read_without_the_key(self):
        cookie = app.test_client().post("/heroes", data=HERO).headers["Set-Cookie"].split("=", 1)[1]
        compressed, text = cookie.startswith("."), cookie.lstrip(".").split(".")[0]
        values = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if compressed:
            values = zlib.decompress(values)
        self.assertEqual(json.loads(values)["alter_ego"], "Clark Kent")


if __name__ == "__main__":
    unittest.main()
