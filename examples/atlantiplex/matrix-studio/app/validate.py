"""Checks what a client sent. Raises Invalid with words for the client."""

from datetime import datetime, timezone


class Invalid(ValueError):
    pass


def show(body):
    if not isinstance(body, dict):
        raise Invalid("send a JSON object")
    title = str(body.get("title") or "").strip()
    if not 1 <= len(title) <= 200:
        raise Invalid("title: 1 to 200 characters")
    capacity = body.get("capacity", 100)
    if isinstance(capacity, bool) or not isinstance(capacity, int) or not 1 <= capacity <= 100_000:
        raise Invalid("capacity: a whole number from 1 to 100000")
    return {"title": title, "starts_at": _time(body.get("starts_at")), "capacity": capacity}


def event(body):
    if not isinstance(body, dict):
        raise Invalid("send a JSON object")
    kind = str(body.get("kind") or "").strip()
    if not 1 <= len(kind) <= 50:
        raise Invalid("kind: 1 to 50 characters")
    payload = body.get("payload", {})
    if not isinstance(payload, dict):
        raise Invalid("payload: an object")
    return {"kind": kind, "payload": payload}


def _time(value):
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        raise Invalid("starts_at: a time such as 2030-01-31T20:00:00+00:00") from None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)
