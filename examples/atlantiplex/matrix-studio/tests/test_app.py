from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import psycopg2
import pytest

from app import create_app
from app.settings import Settings
from migrate import FOLDER, pending

ROW = {"id": 7, "title": "Opening", "starts_at": datetime(2030, 1, 31, tzinfo=timezone.utc), "capacity": 100}


class FakeDatabase:
    """Answers every query with the same rows."""

    def __init__(self, rows=(), up=True):
        self.rows, self.up = list(rows), up

    @contextmanager
    def cursor(self):
        yield self

    def execute(self, query, values=None):
        pass

    def fetchall(self):
        return self.rows

    def fetchone(self):
        return self.rows[0] if self.rows else None

    def ping(self):
        if not self.up:
            raise psycopg2.OperationalError("connection refused")


def client(**database):
    return create_app(Settings("postgresql://nowhere"), FakeDatabase(**database)).test_client()


def test_health_asks_no_store():
    assert client(up=False).get("/health").status_code == 200


def test_ready_names_what_does_not_answer():
    assert client().get("/ready").get_json() == {"ready": True, "database": True}
    answer = client(up=False).get("/ready")
    assert (answer.status_code, answer.get_json()["database"]) == (503, False)


def test_shows():
    assert client(rows=[ROW]).get("/api/shows").get_json()[0]["starts_at"] == "2030-01-31T00:00:00+00:00"
    created = client(rows=[ROW]).post("/api/shows", json={"title": "Opening", "starts_at": "2030-01-31"})
    assert (created.status_code, created.headers["Location"]) == (201, "/api/shows/7")


def test_mistakes_are_json():
    assert client().get("/api/shows/1").get_json()["error"] == "not_found"
    assert client().post("/api/shows", data="x").get_json()["error"] == "invalid_request"


def test_settings():
    with pytest.raises(SystemExit, match="DATABASE_URL"):
        Settings.from_env({})


def test_migrations_in_order_and_once():
    files = [Path("sql/002_b.sql"), Path("sql/001_a.sql")]
    assert [file.name for file in pending(files, set())] == ["001_a.sql", "002_b.sql"]
    assert [file.name for file in pending(files, {"001_a.sql"})] == ["002_b.sql"]
    assert (FOLDER / "001_init.sql").exists()
