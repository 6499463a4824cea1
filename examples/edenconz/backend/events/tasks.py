import csv
import logging
import os
from datetime import timedelta
from pathlib import Path

from celery import shared_task
from django.conf import settings
from django.core.cache import cache
from django.db.models import Count
from django.utils import timezone

from .models import Event, Report

logger = logging.getLogger(__name__)

HEARTBEAT_KEY = "celery-heartbeat"
HEARTBEAT_SECONDS = 60
EVENTS_IN_REPORT = 500
KEEP_REPORTS = timedelta(hours=24)


@shared_task
def heartbeat():
    """Says in the cache that the scheduler, the broker and a worker are there."""
    cache.set(HEARTBEAT_KEY, timezone.now().isoformat(), timeout=HEARTBEAT_SECONDS)


@shared_task
def write_report(report_id):
    """Writes the sales of the newest events. It may run twice: the name of the file is the report's."""
    report = Report.objects.filter(pk=report_id).first()
    if report is None or report.status == Report.Status.DONE:
        return
    name = f"reports/report-{report.pk}.csv"
    try:
        write_csv(Path(settings.MEDIA_ROOT) / name)
    except OSError:
        logger.exception("report %s cannot be written", report.pk)
        finish(report, Report.Status.FAILED)
        return
    report.file.name = name
    finish(report, Report.Status.DONE)
    logger.info("report %s is done", report.pk)


def write_csv(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    # Readers never see half a file.
    partial = path.with_suffix(f".{os.getpid()}.part")
    events = Event.objects.annotate(sold=Count("tickets")).order_by("-id")[:EVENTS_IN_REPORT]
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["event", "title", "venue", "starts_at", "capacity", "sold"])
        for event in events:
            starts = event.starts_at.isoformat()
            writer.writerow([event.pk, text(event.title), text(event.venue), starts, event.capacity, event.sold])
    partial.replace(path)


def text(value):
    """A spreadsheet must not take what somebody typed for a formula."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def finish(report, status):
    report.status = status
    report.finished_at = timezone.now()
    report.save(update_fields=["file", "status", "finished_at"])


@shared_task
def cleanup():
    """Deletes reports that nobody wants any more, with their files."""
    old = Report.objects.filter(created_at__lt=timezone.now() - KEEP_REPORTS)
    for report in old.iterator():
        if report.file:
            report.file.delete(save=False)
        report.delete()
