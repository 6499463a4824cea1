"""The API of the Matrix Studio."""

import psycopg2
from flask import Flask, jsonify
from werkzeug.exceptions import HTTPException

from . import health, shows
from .database import Database
from .settings import Settings


def create_app(settings=None, database=None):
    settings = settings or Settings.from_env()
    app = Flask(__name__)
    app.extensions["database"] = database or Database(settings.database_url)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(shows.blueprint)

    @app.errorhandler(HTTPException)
    def as_json(error):
        return jsonify(error=error.name.lower().replace(" ", "_"), detail=error.description), error.code

    @app.errorhandler(psycopg2.OperationalError)
    def no_database(error):
        app.logger.error("database: %s", str(error).strip().replace("\n", " "))
        return jsonify(error="unavailable"), 503

    return app
