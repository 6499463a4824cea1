"""Live and ready."""

import psycopg2
from flask import Blueprint, current_app, jsonify

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health():
    return jsonify(status="ok")


@blueprint.get("/ready")
def ready():
    try:
        current_app.extensions["database"].ping()
    except psycopg2.Error as error:
        current_app.logger.warning("database does not answer: %s", str(error).strip().replace("\n", " "))
        return jsonify(ready=False, database=False), 503
    return jsonify(ready=True, database=True)
