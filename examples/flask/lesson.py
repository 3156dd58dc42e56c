"""The lesson in Flask: flask --app lesson run. README.md maps each line to Heroes."""

import os

from flask import Flask, flash, redirect, render_template, request, session, url_for

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY", "only for the lesson")


@app.get("/")
def new():
    return render_template("new.html")


@app.post("/heroes")
def create():
    session["name"] = request.form["name"]
    session["alter_ego"] = request.form["alter_ego"]
    session["catch_phrase"] = request.form["catch_phrase"]
    flash(f"{session['name']} is registered.")
    return redirect(url_for("success"), 303)


@app.get("/success")
def success():
    if "name" not in session:
        return redirect(url_for("new"))
    return render_template("success.html", name=session["name"])
