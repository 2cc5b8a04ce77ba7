"""What each type of event looks like on the wire; a test holds them against real ones."""

from __future__ import annotations

from typing import Any

from webhooks.event_types import EventType

_AT = "2026-03-02T09:30:00.120000Z"
_LEAD: dict[str, Any] = {
    "id": "lead_01k00000000000000000000001",
    "source_id": "src_01k00000000000000000000001",
    "source_name": "Westgate",
    "first_name": "Ava",
    "last_name": "Brooks",
    "email": "ava@example.net",
    "phone": None,
    "address": None,
    "unique_id": None,
    "status": "Lead",
    "tags": ["web"],
    "custom_fields": {},
    "source": "Website",
    "source_url": None,
    "opt_in": False,
    "opt_in_transactional_sms": False,
    "opted_out": [],
    "is_new": True,
    "is_ready": True,
    "is_test": False,
    "contact_captured_at": _AT,
    "created_at": _AT,
    "updated_at": _AT,
}


def _message(direction: str, author: dict[str, str], content: str, status: str) -> dict[str, Any]:
    return {
        "id": "msg_01k00000000000000000000001",
        "conversation_id": "conv_01k00000000000000000000001",
        "kind": "message",
        "direction": direction,
        "author": author,
        "content": content,
        "attachments": [],
        "messaging_channel_connection_id": 1,
        "status": status,
        "error": None,
        "classification": None,
        "retry_of": None,
        "created_at": _AT,
        "said_at": None,
        "sent_at": _AT if direction == "outbound" else None,
        "delivered_at": None,
        "read_at": None,
    }


_INBOUND = _message("inbound", {"kind": "lead", "name": "Ava Brooks"}, "My tap leaks.", "received")
_OUTBOUND = _message("outbound", {"kind": "api", "name": "CRM"}, "We can come today.", "sent")
_SHOWN = (
    "id",
    "direction",
    "author",
    "content",
    "attachments",
    "messaging_channel_connection_id",
    "status",
    "created_at",
)
_CONVERSATION = {
    "id": "conv_01k00000000000000000000001",
    "title": "Leaking tap",
    "status": "open",
    "messaging_channel_id": "email",
    "handled_by": "external",
    "created_at": _AT,
    "messages": [{name: _INBOUND[name] for name in _SHOWN}],
    "truncated": False,
}
_DATA: dict[EventType, dict[str, Any]] = {
    EventType.LEAD_CREATED: {"message": _INBOUND},
    EventType.MESSAGE_RECEIVED: {"message": _INBOUND},
    EventType.MESSAGE_SENT: {"message": _OUTBOUND},
    EventType.MESSAGE_DELIVERED: {"message": {**_OUTBOUND, "status": "delivered", "delivered_at": _AT}},
    EventType.MESSAGE_FAILED: {
        "message": {
            **_OUTBOUND,
            "status": "failed",
            "sent_at": None,
            "error": {"code": "channel.refused", "detail": "The mail server refused the address."},
        }
    },
    EventType.MESSAGE_BOUNCED: {
        "message": {
            **_OUTBOUND,
            "status": "failed",
            "error": {"code": "message.bounced", "detail": "The mail came back: no such mailbox."},
        }
    },
}
_DATA[EventType.CONVERSATION_HANDOVER] = {"message": None, "handled_by": "team"}
_REPLY = {**_INBOUND, "content": "Yes, tomorrow at four is fine.", "classification": "interested"}
_DATA[EventType.REPLY_RECEIVED] = _DATA[EventType.REPLY_CLASSIFIED] = {"message": _REPLY}
_FAILING = {
    "source_id": "src_01k00000000000000000000001",
    "endpoint": "https://crm.example.com",
    "reason": "The server answered 500",
    "failing_since": "2026-02-27T09:30:00Z",
    "failing_days": 3,
    "stops_at": "2026-03-04T09:30:00Z",
}
_STOPPED = {
    "source_id": "src_01k00000000000000000000001",
    "endpoint": "https://crm.example.com",
    "reason": "Nothing but failures for 5 days",
    "failing_since": "2026-02-25T09:30:00Z",
    "stopped_at": _AT,
}
_ABOUT_WEBHOOKS: dict[EventType, dict[str, Any]] = {
    EventType.WEBHOOK_FAILING: _FAILING,
    EventType.WEBHOOK_DISABLED: _STOPPED,
}


def sample_of(event_type: EventType) -> dict[str, Any]:
    """Return the body of a webhook of this type."""
    of_a_lead = {"lead": _LEAD, **_DATA.get(event_type, {}), "conversation": _CONVERSATION}
    data = _ABOUT_WEBHOOKS.get(event_type, of_a_lead)
    return {
        "type": event_type.value,
        "timestamp": _AT,
        "id": "evt_01k00000000000000000000001",
        "sequence": 0 if event_type in _ABOUT_WEBHOOKS else 1,
        "data": data,
    }
