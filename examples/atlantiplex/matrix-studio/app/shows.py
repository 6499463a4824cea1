"""Shows and what happened in them."""

from flask import Blueprint, abort, current_app, jsonify, request, url_for
from psycopg2.extras import Json

from . import validate

blueprint = Blueprint("shows", __name__, url_prefix="/api/shows")

SHOW = "id, title, starts_at, capacity"
EVENT = "id, show_id, kind, payload, created_at"


@blueprint.errorhandler(validate.Invalid)
def invalid(error):
    return jsonify(error="invalid_request", detail=str(error)), 400


@blueprint.get("")
def list_shows():
    with cursor() as db:
        db.execute(f"SELECT {SHOW} FROM show ORDER BY starts_at, id LIMIT 200")
        return jsonify([show_json(row) for row in db.fetchall()])


@blueprint.post("")
def create_show():
    values = validate.show(request.get_json(silent=True))
    with cursor() as db:
        db.execute(
            "INSERT INTO show (title, starts_at, capacity) "
            f"VALUES (%(title)s, %(starts_at)s, %(capacity)s) RETURNING {SHOW}",
            values,
        )
        row = db.fetchone()
    return jsonify(show_json(row)), 201, {"Location": url_for("shows.get_show", show_id=row["id"])}


@blueprint.get("/<int:show_id>")
def get_show(show_id):
    with cursor() as db:
        return jsonify(show_json(find(db, show_id)))


@blueprint.get("/<int:show_id>/events")
def list_events(show_id):
    with cursor() as db:
        find(db, show_id)
        db.execute(f"SELECT {EVENT} FROM event WHERE show_id = %s ORDER BY id LIMIT 500", (show_id,))
        return jsonify([event_json(row) for row in db.fetchall()])


@blueprint.post("/<int:show_id>/events")
def create_event(show_id):
    values = validate.event(request.get_json(silent=True))
    with cursor() as db:
        find(db, show_id)
        db.execute(
            f"INSERT INTO event (show_id, kind, payload) VALUES (%s, %s, %s) RETURNING {EVENT}",
            (show_id, values["kind"], Json(values["payload"])),
        )
        row = db.fetchone()
    return jsonify(event_json(row)), 201


def cursor():
    return current_app.extensions["database"].cursor()


def find(db, show_id):
    db.execute(f"SELECT {SHOW} FROM show WHERE id = %s", (show_id,))
    return db.fetchone() or abort(404, "no such show")


def show_json(row):
    return {**row, "starts_at": row["starts_at"].isoformat()}


def event_json(row):
    return {**row, "created_at": row["created_at"].isoformat()}
