"""A small pool of connections, opened when the first request needs one (after gunicorn has forked)."""

from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

import psycopg2
import psycopg2.extras

SIZE = 8


class Database:
    def __init__(self, url):
        self._url = url
        self._idle = []
        self._lock = Lock()
        self._free = BoundedSemaphore(SIZE)

    @contextmanager
    def cursor(self):
        """A transaction: committed at the end, rolled back on any error."""
        with self._free:
            connection = self._alive() or self._connect()
            try:
                with connection.cursor() as cursor:
                    yield cursor
                connection.commit()
            except psycopg2.OperationalError:
                # The server was restarted: the idle connections are as dead as this one.
                self._forget_idle()
                connection.close()
                raise
            except BaseException:
                connection.rollback()
                raise
            finally:
                if not connection.closed:
                    with self._lock:
                        self._idle.append(connection)

    def _alive(self):
        """An idle connection that still answers. Each process has its own pool: after a restart of the server only the
        one that failed first would know."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            return None
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except psycopg2.Error:
            self._forget_idle()
            connection.close()
            return None
        return connection

    def _forget_idle(self):
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connect(self):
        return psycopg2.connect(
            self._url,
            connect_timeout=2,
            options="-c statement_timeout=5000",
            cursor_factory=psycopg2.extras.RealDictCursor,
        )

    def ping(self):
        """A connection of its own with two seconds for all, so that a full pool does not count as a dead database."""
        connection = psycopg2.connect(self._url, connect_timeout=2, options="-c statement_timeout=2000")
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        finally:
            connection.close()
