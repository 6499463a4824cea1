from concurrent.futures import ThreadPoolExecutor, wait

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from .tasks import HEARTBEAT_KEY

SECONDS = 2


def database():
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        # The connection belongs to the thread, which ends here.
        connection.close()
    return True


def broker():
    with redis.Redis.from_url(settings.CELERY_BROKER_URL, socket_timeout=SECONDS) as client:
        return client.ping()


def cached():
    cache.get("ready")
    return True


def celery():
    """The heartbeat that a worker writes whenever the scheduler tells it to."""
    return cache.get(HEARTBEAT_KEY) is not None


CHECKS = {"database": database, "broker": broker, "cache": cached, "celery": celery}


def ready():
    """Asks everything at once; what has not answered in time is not ready."""
    pool = ThreadPoolExecutor(len(CHECKS))
    futures = {name: pool.submit(check) for name, check in CHECKS.items()}
    done, _ = wait(futures.values(), timeout=SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    return {name: future in done and not future.exception() and future.result() for name, future in futures.items()}
