"""What a call of the Cloud API says: messages of people, and what became of ours.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from messaging.addresses import normalize_phone
from messaging.call_parts import InboundFile, InboundMessage, Progress, StatusUpdate
from messaging.failures import NotUnderstood
from messaging.meta.errors import explain

ID_MAX = 255  # characters
FILES = ("image", "video", "audio", "document", "sticker")
PROGRESS = {progress.value: progress for progress in Progress}


def read_call(body: bytes) -> list[InboundMessage | StatusUpdate]:
    """Return all that a call brings: it may hold several entries, of several numbers. Raise NotUnderstood."""
    try:
        call = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood("The body is not JSON.") from error
    parts: list[InboundMessage | StatusUpdate] = []
    for value in _values(call):
        number_id = _text(_object(value.get("metadata")), "phone_number_id")
        names = {_text(contact, "wa_id"): _text(_object(contact.get("profile")), "name")
                 for contact in _objects(value.get("contacts"))}  # fmt: skip
        for message in _objects(value.get("messages")):
            if read := _inbound(message, names, number_id):
                parts.append(read)
        parts += filter(None, (_status(status, number_id) for status in _objects(value.get("statuses"))))
    return parts


def _values(call: Any) -> Iterator[dict[str, Any]]:
    """The values of all changes that are about messages; what else Meta may tell of is nothing to us."""
    if not isinstance(call, dict) or not isinstance(call.get("entry"), list):
        raise NotUnderstood("It is no call of WhatsApp.")
    for entry in _objects(call["entry"]):
        for change in _objects(entry.get("changes")):
            if change.get("field") == "messages":
                yield _object(change.get("value"))


def _inbound(message: dict[str, Any], names: dict[str, str], number_id: str) -> InboundMessage | None:
    sender, text = _text(message, "from"), _words(message)
    phone = normalize_phone(f"+{sender.lstrip('+')}") if sender else ""
    if not phone or not _text(message, "id"):
        raise NotUnderstood("A message names no sender.")
    if text is None:
        return None
    return InboundMessage(
        id=_text(message, "id")[:ID_MAX],
        sender=phone,
        text=text,
        sender_name=names.get(sender, ""),
        said_at=_moment(message),
        account=number_id,
        files=_files(message),
        answers=_text(_object(message.get("context")), "id")[:ID_MAX],
    )


def _words(message: dict[str, Any]) -> str | None:
    """A message as text that people read; None for one that says nothing."""
    kind = _text(message, "type")
    content = _object(message.get(kind))
    if kind == "text":
        return _text(content, "body")
    if kind in FILES:
        return _text(content, "caption")
    if kind == "reaction":  # taken back, it comes without an emoji
        return f"Reacted with {_text(content, 'emoji')}" if _text(content, "emoji") else None
    if kind == "button":
        return _text(content, "text")
    if kind == "interactive":
        return _choice(content)
    if kind == "location":
        return _place(content)
    if kind == "contacts":
        return "\n".join(map(_contact, _objects(message.get("contacts")))) or "[contact]"
    if kind == "system":
        return _text(content, "body") or None
    return f"[a message of the kind “{kind or 'unknown'}”, which cannot be shown]"


def _files(message: dict[str, Any]) -> list[InboundFile]:
    content = _object(message.get(_text(message, "type"))) if _text(message, "type") in FILES else {}
    if not _text(content, "id"):
        return []
    content_type = _text(content, "mime_type").partition(";")[0].strip()
    return [InboundFile(_text(content, "id")[:ID_MAX], _text(content, "filename"), content_type[:100])]


def _choice(content: dict[str, Any]) -> str:
    """What was chosen of buttons or a list."""
    chosen = _object(content.get(_text(content, "type")))
    return ": ".join(filter(None, [_text(chosen, "title"), _text(chosen, "description")])) or "[a choice]"


def _place(content: dict[str, Any]) -> str:
    place = ", ".join(filter(None, [_text(content, "name"), _text(content, "address")]))
    latitude, longitude = content.get("latitude"), content.get("longitude")
    return "\n".join(filter(None, [place, f"https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}"]))


def _contact(contact: dict[str, Any]) -> str:
    name = _text(_object(contact.get("name")), "formatted_name")
    phones = [_text(phone, "phone") for phone in _objects(contact.get("phones"))]
    emails = [_text(email, "email") for email in _objects(contact.get("emails"))]
    return "Contact: " + ", ".join(filter(None, [name, *phones, *emails]))


def _status(status: dict[str, Any], number_id: str) -> StatusUpdate | None:
    progress = PROGRESS.get(_text(status, "status"))
    if progress is None or not _text(status, "id"):
        return None
    failure = None
    if progress is Progress.FAILED:
        error = next(_objects(status.get("errors")), {})
        code = error.get("code")
        details = _text(_object(error.get("error_data")), "details") or _text(error, "title")
        failure = explain(code if isinstance(code, int) else 0, details, 0)
    return StatusUpdate(
        id=_text(status, "id")[:ID_MAX],
        progress=progress,
        reference=_text(status, "biz_opaque_callback_data"),
        failure=failure,
        reported_at=_moment(status),
        account=number_id,
    )


def _moment(thing: dict[str, Any]) -> datetime | None:
    text = str(thing.get("timestamp", ""))
    return datetime.fromtimestamp(int(text), UTC) if text.isascii() and text.isdigit() and len(text) < 11 else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def _text(thing: dict[str, Any], name: str) -> str:
    value = thing.get(name)
    return value if isinstance(value, str) else ""
