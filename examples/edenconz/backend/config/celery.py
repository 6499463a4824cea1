import logging.config
import os

from celery import Celery
from celery.schedules import crontab
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("edenconz")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.conf.beat_schedule = {
    "heartbeat": {
        "task": "events.tasks.heartbeat",
        "schedule": 10.0,
        # Beats that queued up while no worker ran are worth nothing.
        "options": {"expires": 10},
    },
    "cleanup": {
        "task": "events.tasks.cleanup",
        "schedule": crontab(minute=0),
    },
}


@setup_logging.connect
def use_djangos_logging(**_):
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)
