import secrets

from django.core.validators import MinValueValidator
from django.db import models


def new_code():
    return secrets.token_urlsafe(9)


class Event(models.Model):
    title = models.CharField(max_length=200)
    # The database fills it in too: the version before this column still inserts while a release is going on.
    venue = models.CharField(max_length=200, blank=True, default="", db_default="")
    starts_at = models.DateTimeField(db_index=True)
    capacity = models.PositiveIntegerField(validators=[MinValueValidator(1)])

    class Meta:
        ordering = ["-id"]

    def __str__(self):
        return self.title


class Ticket(models.Model):
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="tickets")
    email = models.EmailField()
    code = models.CharField(max_length=16, unique=True, default=new_code, editable=False)
    bought_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self):
        return self.code


class Report(models.Model):
    class Status(models.TextChoices):
        PENDING = "pending"
        DONE = "done"
        FAILED = "failed"

    file = models.FileField(upload_to="reports", blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self):
        return f"report {self.pk}"
