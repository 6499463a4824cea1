from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest.mock import patch

from django.conf import settings
from django.core.cache import cache
from django.test import TestCase
from kombu.exceptions import OperationalError

from events import health, tasks
from events.models import Event, Report

STARTS = datetime(2031, 5, 1, 19, 0, tzinfo=timezone.utc)


def post(client, path, body=None):
    return client.post(path, body or {}, content_type="application/json")


class EventsTest(TestCase):
    def test_create_and_list(self):
        body = {"title": "Concert", "starts_at": "2031-05-01T19:00:00Z", "capacity": 2}
        created = post(self.client, "/api/v1/events/", body)
        self.assertEqual(created.status_code, 201)
        self.assertEqual(created.json()["sold"], 0)
        listed = self.client.get("/api/v1/events/").json()
        self.assertEqual([event["title"] for event in listed["results"]], ["Concert"])

    def test_refuses_nonsense(self):
        answer = post(self.client, "/api/v1/events/", {"title": " ", "starts_at": "soon", "capacity": 0})
        self.assertEqual(answer.status_code, 400)
        self.assertEqual(set(answer.json()), {"title", "starts_at", "capacity"})


class TicketsTest(TestCase):
    def setUp(self):
        self.event = Event.objects.create(title="Talk", starts_at=STARTS, capacity=2)
        self.path = f"/api/v1/events/{self.event.pk}/tickets/"

    def test_sells_no_more_than_the_capacity(self):
        answers = [post(self.client, self.path, {"email": f"{name}@example.org"}) for name in "abc"]
        self.assertEqual([answer.status_code for answer in answers], [201, 201, 409])
        self.assertEqual(answers[2].json(), {"error": "sold_out"})
        self.assertNotEqual(answers[0].json()["code"], answers[1].json()["code"])
        self.assertEqual(self.client.get("/api/v1/events/").json()["results"][0]["sold"], 2)

    def test_unknown_event_and_bad_address(self):
        self.assertEqual(post(self.client, "/api/v1/events/0/tickets/", {"email": "a@example.org"}).status_code, 404)
        self.assertEqual(post(self.client, self.path, {"email": "nobody"}).status_code, 400)


class ReportsTest(TestCase):
    def test_report_is_written_and_handed_out(self):
        Event.objects.create(title="=cmd()", starts_at=STARTS, capacity=5)
        ordered = post(self.client, "/api/v1/reports/")
        self.assertEqual(ordered.status_code, 202)
        report = self.client.get(f"/api/v1/reports/{ordered.json()['id']}/?wait=1").json()
        self.assertEqual(report["status"], "done")
        file = self.client.get(report["file"])
        self.assertEqual(file["content-type"], "text/csv")
        text = b"".join(file.streaming_content).decode()
        self.assertIn("event,title,venue,starts_at,capacity,sold", text)
        self.assertIn("'=cmd()", text)

    def test_pending_report_has_no_file(self):
        report = Report.objects.create()
        self.assertIsNone(self.client.get(f"/api/v1/reports/{report.pk}/?wait=x").json()["file"])
        self.assertEqual(self.client.get(f"/api/v1/reports/{report.pk}/file/").status_code, 404)

    def test_order_without_a_broker(self):
        with patch.object(tasks.write_report, "delay", side_effect=OperationalError):
            self.assertEqual(post(self.client, "/api/v1/reports/").status_code, 503)
        self.assertEqual(Report.objects.get().status, "failed")

    def test_cleanup_deletes_old_reports_only(self):
        old, new = Report.objects.create(), Report.objects.create()
        tasks.write_report(old.pk)
        path = Path(settings.MEDIA_ROOT) / Report.objects.get(pk=old.pk).file.name
        self.assertTrue(path.exists())
        Report.objects.filter(pk=old.pk).update(created_at=STARTS - timedelta(days=9000))
        tasks.cleanup()
        self.assertFalse(path.exists())
        self.assertEqual(list(Report.objects.all()), [new])


class HealthTest(TestCase):
    def test_live_asks_nothing(self):
        with self.assertNumQueries(0):
            self.assertEqual(self.client.get("/api/v1/health/").json(), {"status": "ok"})

    def test_ready_says_what_is_missing(self):
        def broken():
            raise ConnectionError

        with patch.object(health, "CHECKS", {"database": lambda: True, "broker": broken}):
            answer = self.client.get("/api/v1/ready/")
        self.assertEqual((answer.status_code, answer.json()), (503, {"database": True, "broker": False}))

    def test_heartbeat(self):
        cache.clear()
        self.assertFalse(health.celery())
        tasks.heartbeat()
        self.assertTrue(health.celery())
