"""The HTTP side: takes texts and gives back what the worker found."""

import os
import time

from flask import Flask, jsonify, request
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job

from .tasks import count_words

MAX_TEXT = 100_000
MAX_WAIT = 5


def create_app(connection=None):
    if connection is None:
        url = os.environ.get("REDIS_URL")
        if not url:
            raise SystemExit("REDIS_URL is not set")
        connection = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
    app = Flask(__name__)
    queue = Queue(connection=connection)

    @app.get("/health")
    def health():
        return jsonify(status="ok")

    @app.get("/ready")
    def ready():
        connection.ping()
        return jsonify(redis=True)

    @app.errorhandler(RedisError)
    def no_redis(error):
        app.logger.error("redis: %s", error)
        return jsonify(error="unavailable", redis=False), 503

    @app.post("/jobs")
    def enqueue():
        body = request.get_json(silent=True)
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
            return jsonify(error=f"text: 1 to {MAX_TEXT} characters"), 400
        job = queue.enqueue(count_words, text, result_ttl=3600)
        return jsonify(id=job.id), 202, {"Location": f"/jobs/{job.id}"}

    @app.get("/jobs/<job_id>")
    def result(job_id):
        try:
            job = Job.fetch(job_id, connection=connection)
        except NoSuchJobError:
            return jsonify(error="not_found"), 404
        until = time.monotonic() + min(request.args.get("wait", 0, type=float), MAX_WAIT)
        while not (job.is_finished or job.is_failed) and time.monotonic() < until:
            time.sleep(0.1)
        return jsonify(id=job.id, status=job.get_status().value, result=job.return_value())

    return app
