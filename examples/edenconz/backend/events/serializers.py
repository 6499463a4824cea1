from django.urls import reverse
from rest_framework import serializers

from .models import Event, Report, Ticket


class EventSerializer(serializers.ModelSerializer):
    capacity = serializers.IntegerField(min_value=1, max_value=100_000)
    sold = serializers.IntegerField(read_only=True, default=0)

    class Meta:
        model = Event
        fields = ["id", "title", "venue", "starts_at", "capacity", "sold"]


class TicketSerializer(serializers.ModelSerializer):
    class Meta:
        model = Ticket
        fields = ["id", "event", "email", "code", "bought_at"]
        read_only_fields = ["event", "code", "bought_at"]


class ReportSerializer(serializers.ModelSerializer):
    file = serializers.SerializerMethodField()

    class Meta:
        model = Report
        fields = ["id", "status", "created_at", "finished_at", "file"]

    def get_file(self, report) -> str | None:
        if report.status != Report.Status.DONE:
            return None
        return reverse("report-file", args=[report.pk])
