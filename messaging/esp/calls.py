"""Calls of ESPs: from what was kept to what anymail takes, and from its events to parts of a call."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from django.core.handlers.wsgi import WSGIRequest

from core.mime.text import clean
from messaging.addresses import is_email, normalize_email
from messaging.call_parts import InboundEmail, MailReport, OptedOut, Part, Progress, ProviderCall, StatusUpdate
from messaging.email.files import MAIL_MAX_BYTES
from messaging.failures import NotSent, NotUnderstood
from understanding.bounce_fields import status_of
from understanding.bounce_words import is_hard
from understanding.bounces import Report
from understanding.report_kinds import Kind

REFERENCE = "leadwire_message"  # the name of our id in an ESP's metadata
ID_MAX = 200  # characters
REASON_MAX = 400


def request_of(call: ProviderCall) -> WSGIRequest:
    """Return a call as a request of Django."""
    address = urlsplit(call.url)
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": address.path,
        "QUERY_STRING": address.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "CONTENT_TYPE": call.content_type,
        "CONTENT_LENGTH": str(len(call.body)),
        "wsgi.input": io.BytesIO(call.body),
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in call.headers.items()},
    }
    request = WSGIRequest(environ)
    request._body = call.body  # else its size would be checked: it has been already
    return request


def json_of(body: bytes | str) -> Any:
    """Return the value of some JSON. Raise NotUnderstood."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood("The body is no JSON.") from error


def object_of(body: bytes | str) -> dict[str, Any]:
    """Return the object of some JSON; empty for a value of another kind. Raise NotUnderstood."""
    value = json_of(body)
    return value if isinstance(value, dict) else {}


def inbound_email(raw: bytes, *, sender: Any, recipient: Any) -> InboundEmail:
    """Return a mail with the addresses of its envelope, where they are some."""
    addresses = [normalize_email(clean(str(address or "")).strip("<> ")) for address in (sender, recipient)]
    sent_by, sent_to = (address if is_email(address) else "" for address in addresses)
    return InboundEmail(raw=raw[:MAIL_MAX_BYTES], envelope_from=sent_by, envelope_to=sent_to)


def parts_of(events: Iterable[AnymailTrackingEvent], label: str, hardness: Mapping[str, bool]) -> list[Part]:
    """Return what events say of our messages. `hardness`: by its names of bounces, whether no mail can arrive there."""
    return [part for event in events if (part := _part(event, label, hardness)) is not None]


def _part(event: AnymailTrackingEvent, label: str, hardness: Mapping[str, bool]) -> Part | None:
    message_id, reference = clean(str(event.message_id or ""))[:ID_MAX], _reference(event)
    kind, at = event.event_type, event.timestamp
    if kind == EventType.DELIVERED:
        return StatusUpdate(message_id, Progress.DELIVERED, reference, reported_at=at)
    if kind == EventType.SENT:
        return StatusUpdate(message_id, Progress.SENT, reference, reported_at=at)
    if kind == EventType.BOUNCED:
        return MailReport(message_id, reference, _report(Kind.BOUNCE, event, hardness))
    if kind == EventType.DEFERRED:
        return MailReport(message_id, reference, _report(Kind.DELAY, event, hardness))
    if kind == EventType.COMPLAINED:
        return MailReport(message_id, reference, _report(Kind.COMPLAINT, event, hardness))
    if kind in (EventType.REJECTED, EventType.FAILED):
        return StatusUpdate(message_id, Progress.FAILED, reference, failure=_rejection(event, label), reported_at=at)
    return OptedOut(message_id, reference) if kind == EventType.UNSUBSCRIBED else None


def _reference(event: AnymailTrackingEvent) -> str:
    metadata = event.metadata if isinstance(event.metadata, dict) else {}
    reference = metadata.get(REFERENCE, "")
    return reference if isinstance(reference, str) else ""


def _reason(event: AnymailTrackingEvent) -> str:
    words = [str(text) for text in (event.description, event.mta_response) if text]
    return clean(" ".join(" ".join(words).split()))[:REASON_MAX]


def _report(kind: Kind, event: AnymailTrackingEvent, hardness: Mapping[str, bool]) -> Report:
    reason, recipient = _reason(event), normalize_email(clean(str(event.recipient or "")))
    status = status_of("", reason)
    known = hardness.get(_name_of_bounce(event))
    return Report(
        kind,
        recipients=(recipient,) if is_email(recipient) else (),
        status=status,
        is_hard=kind is Kind.BOUNCE and (is_hard(status, reason) if known is None else known),
        reason=reason,
    )


def _name_of_bounce(event: AnymailTrackingEvent) -> str:
    """How the ESP calls a bounce; "" where it has no name for it."""
    esp_event = event.esp_event if isinstance(event.esp_event, dict) else {}
    bounce = esp_event.get("bounce")
    of_ses = bounce.get("bounceType") if isinstance(bounce, dict) else ""
    told = esp_event.get("event-data")
    of_mailgun = told.get("reason") if isinstance(told, dict) else ""
    own = esp_event.get("Type") or esp_event.get("SuppressionReason") or esp_event.get("type")
    return str(own or of_ses or of_mailgun or "")


def _rejection(event: AnymailTrackingEvent, label: str) -> NotSent:
    """Of what the ESP did not even try: it remembers that this address bounced, complained or unsubscribed."""
    reason = _reason(event) or (str(event.reject_reason) if event.reject_reason else "")
    if event.reject_reason in (RejectReason.UNSUBSCRIBED, RejectReason.SPAM):
        detail = f"The lead wants no more mail from you, so {label} did not send it. {reason}".strip()
        return NotSent("lead.optedOut", detail, is_permanent=True, has_opted_out=True)
    return NotSent("channel.refused", f"{label} did not send it: {reason or 'it gave no reason'}", is_permanent=True)
