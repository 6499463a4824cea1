from django.contrib import admin

from .models import Event, Report, Ticket


@admin.register(Event)
class EventAdmin(admin.ModelAdmin):
    list_display = ["title", "venue", "starts_at", "capacity"]
    search_fields = ["title", "venue"]
    date_hierarchy = "starts_at"


@admin.register(Ticket)
class TicketAdmin(admin.ModelAdmin):
    list_display = ["code", "event", "email", "bought_at"]
    search_fields = ["code", "email"]
    raw_id_fields = ["event"]
    readonly_fields = ["code"]


@admin.register(Report)
class ReportAdmin(admin.ModelAdmin):
    list_display = ["id", "status", "created_at", "finished_at"]
    list_filter = ["status"]
