import time

from django.db import transaction
from django.db.models import Count
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404
from kombu.exceptions import OperationalError
from rest_framework import generics
from rest_framework.response import Response
from rest_framework.views import APIView

from . import health
from .models import Event, Report
from .serializers import EventSerializer, ReportSerializer, TicketSerializer
from .tasks import finish, write_report

LONGEST_WAIT = 3.0


class Live(APIView):
    def get(self, request):
        return Response({"status": "ok"})


class Ready(APIView):
    def get(self, request):
        parts = health.ready()
        return Response(parts, status=200 if all(parts.values()) else 503)


class Events(generics.ListCreateAPIView):
    queryset = Event.objects.annotate(sold=Count("tickets")).order_by("-id")
    serializer_class = EventSerializer


class Tickets(APIView):
    def post(self, request, event_id):
        serializer = TicketSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            # Buyers of one event queue up here: two of them never get the last seat.
            event = get_object_or_404(Event.objects.select_for_update(), pk=event_id)
            if event.tickets.count() >= event.capacity:
                return Response({"error": "sold_out"}, status=409)
            serializer.save(event=event)
        return Response(serializer.data, status=201)


class Reports(APIView):
    def post(self, request):
        report = Report.objects.create()
        try:
            write_report.delay(report.pk)
        except OperationalError:
            finish(report, Report.Status.FAILED)
            return Response({"error": "broker_unavailable"}, status=503)
        report.refresh_from_db()
        return Response(ReportSerializer(report).data, status=202)


class ReportDetail(APIView):
    def get(self, request, report_id):
        """`?wait=2` answers as soon as the report is finished, at most two seconds later."""
        end = time.monotonic() + wanted_wait(request.query_params.get("wait"))
        report = get_object_or_404(Report, pk=report_id)
        while report.status == Report.Status.PENDING and time.monotonic() < end:
            time.sleep(0.1)
            report.refresh_from_db()
        return Response(ReportSerializer(report).data)


def wanted_wait(text):
    try:
        return min(max(float(text or 0), 0.0), LONGEST_WAIT)
    except ValueError:
        return 0.0


class ReportFile(APIView):
    def get(self, request, report_id):
        report = get_object_or_404(Report, pk=report_id, status=Report.Status.DONE)
        try:
            file = report.file.open("rb")
        except FileNotFoundError as error:
            raise Http404 from error
        return FileResponse(file, as_attachment=True, filename=f"edenconz-{report.pk}.csv", content_type="text/csv")
