"""Applies sql/*.sql in order, each once and each in a transaction: python migrate.py"""

import sys
from pathlib import Path

import psycopg2

from app.settings import Settings

FOLDER = Path(__file__).parent / "sql"
# Any fixed number: two runners at the same time wait for each other.
LOCK = 4_207_001


def pending(files, applied):
    return [file for file in sorted(files) if file.name not in applied]


def migrate(connection, folder=FOLDER):
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations "
            "(name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        cursor.execute("SELECT name FROM schema_migrations")
        applied = {name for (name,) in cursor.fetchall()}
    todo = pending(folder.glob("*.sql"), applied)
    for file in todo:
        with connection, connection.cursor() as cursor:
            cursor.execute(file.read_text())
            cursor.execute("INSERT INTO schema_migrations (name) VALUES (%s)", (file.name,))
        print(f"applied {file.name}", flush=True)
    print(f"{len(todo)} applied, {len(applied)} were there before", flush=True)


if __name__ == "__main__":
    database = psycopg2.connect(Settings.from_env().database_url, connect_timeout=10)
    try:
        migrate(database)
    except (OSError, psycopg2.Error) as error:
        sys.exit(f"migration failed: {error}")
    finally:
        database.close()
