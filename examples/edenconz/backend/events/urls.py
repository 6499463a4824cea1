from django.urls import path

from . import views

urlpatterns = [
    path("health/", views.Live.as_view(), name="health"),
    path("ready/", views.Ready.as_view(), name="ready"),
    path("events/", views.Events.as_view(), name="events"),
    path("events/<int:event_id>/tickets/", views.Tickets.as_view(), name="tickets"),
    path("reports/", views.Reports.as_view(), name="reports"),
    path("reports/<int:report_id>/", views.ReportDetail.as_view(), name="report"),
    path("reports/<int:report_id>/file/", views.ReportFile.as_view(), name="report-file"),
]
