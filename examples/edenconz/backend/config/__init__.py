# `shared_task` needs the Celery application in every process of Django.
from .celery import app as celery_app

__all__ = ["celery_app"]
