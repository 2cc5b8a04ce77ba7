"""Examples in the OpenAPI document: one for each field, by its name, so that every operation reads like a real call."""

from __future__ import annotations

from typing import Any

_ID = "01m7xn0g8cf258jhxynw4q7grm"
_AT, _LATER = "2026-11-20T09:30:00Z", "2026-11-21T09:30:00Z"

# What a field is called, and what stands in it. Booleans and fixed words explain themselves.
EXAMPLES: dict[str, Any] = {
    "address": "12 Harbor Street, Portland",
    "after_minutes": 30,
    "answer": '{"ok": true}',
    "assignee_id": f"usr_{_ID}",
    "attachments": [],
    "business_id": f"src_{_ID}",
    "callback_url": "https://leadwire.example.com/channels/k3v9x2m7q1w8r5t6y4z0a2b3c4/",
    "campaignId": None,
    "campaign_id": None,
    "certificate": "-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----",
    "channel": "email",
    "choices": ["Spring", "Autumn"],
    "classification": None,
    "closed_on": ["2026-12-24"],
    "code": "lead.notFound",
    "content_type": "application/pdf",
    "content": "We can come today at four.",
    "conversationId": f"conv_{_ID}",
    "conversation_id": f"conv_{_ID}",
    "conversation_uid": f"conv_{_ID}",
    "custom_fields": {"budget": "1200"},
    "description": "A lead arrives",
    "detail": "There is no such lead.",
    "duration_ms": 84,
    "email_address": "sales@example.com",
    "email": "ava@example.net",
    "error": None,
    "errors": [{"pointer": "#/email", "detail": "This is not an email address.", "code": "invalid"}],
    "event_id": f"evt_{_ID}",
    "event_type": "lead.created",
    "event_types": ["lead.created", "message.received"],
    "external_id": "portland-7",
    "feed_position": 4711,
    "folded": "On Monday Ava wrote:\n> My tap leaks.",
    "first_name": "Ava",
    "form_origins": ["https://www.example.com"],
    "handled_by": "external",
    "header": "Idempotency-Key",
    "headers": {"X-Tenant": "northside"},
    "if_last_message_id": f"msg_{_ID}",
    "holidays_of": "US",
    "into": f"lead_{_ID}",
    "key": "budget",
    "label": "Budget",
    "last_check": {"ok": True, "title": "Delivered.", "detail": "200 in 84 ms", "at": _AT},
    "last_error": None,
    "last_four": "7Qx2",
    "language": "en_US",
    "last_name": "Brooks",
    "leadId": f"lead_{_ID}",
    "lead_id": f"lead_{_ID}",
    "masked": "lwr_••••7Qx2",
    "message_data": {"roof": "Slate, 80 square metres"},
    "messaging_channel_connection_id": 12,
    "monday": "09:00-17:00",
    "tuesday": "09:00-17:00",
    "wednesday": "09:00-17:00",
    "thursday": "09:00-17:00",
    "friday": "09:00-17:00",
    "saturday": "",
    "sunday": "",
    "method": "PUT",
    "name": "Northside Plumbing",
    "next_because": None,
    "next_cursor": "MDFtN3huMGc4Y2YyNThqaHh5bnc0cTdncm0",
    "notifications": ["email"],
    "number": 1,
    "parameter": "limit",
    "parent_id": f"src_{_ID}",
    "password": "correct horse battery staple",
    "per_day": 2000,
    "per_hour": None,
    "per_second": 1.0,
    "phone": "+1 415 555 0101",
    "phone_number": "+15005550006",
    "pointer": "#/email",
    "prefix": "lwa_",
    "progress": 0.42,
    "public_key": None,
    "reason": "Made by mistake",
    "reply_to": "office@northside.example",
    "request_data": {"budget": "1200"},
    "request_id": "76b275603c6342cb872b366e5941d91b",
    "request_title": "Leaking tap",
    "result": {"created": 98, "updated": 2, "unchanged": 0, "failed": 1},
    "retry_of": None,
    "s3_attachment": f"org_{_ID}/src_{_ID}/5a536074fb25c84f6c26c31806d1b6e9",
    "scopes": ["leads:write", "conversations:write"],
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "sequence": 3,
    "settings": {"account_sid": "AC0123456789abcdef0123456789abcdef", "auth_token": "0123456789abcdef"},
    "sender_name": "Northside Plumbing",
    "signature_html": "<p>Dana Reed<br>Northside Plumbing</p>",
    "signature_text": "Dana Reed\nNorthside Plumbing",
    "size": 4_096,
    "snoozed_until": None,
    "source": "Spring campaign",
    "source_id": f"src_{_ID}",
    "source_ids": [f"src_{_ID}"],
    "source_name": "Northside Plumbing",
    "source_url": "https://www.example.com/contact",
    "status_code": 200,
    "status_reason": None,
    "subject": "CN=leadwire",
    "system_message": "From the spring campaign.",
    "tags": ["vip"],
    "text": "We are on it, and answer this afternoon.",
    "threadSnippet": "Yes, tomorrow at four is fine.",
    "time_zone": "America/Los_Angeles",
    "title": "Leaking tap",
    "to": "+14155550100",
    "uid": f"lead_{_ID}",
    "turned_off": [f"src_{_ID}"],
    "unique_id": "crm-4711",
    "url": "https://crm.example.com/leadwire",
    "username": "leadwire",
    "variables": ["Ava", "Monday"],
    "waiting": 0,
}
ELSEWHERE = {"$ref", "enum", "allOf", "oneOf"}  # where what may stand in a field is described
MOMENTS = {"ends_at": _LATER, "expires_at": _LATER, "next_attempt_at": _LATER, "old_secret_ends_at": _LATER,
           "until": _LATER}  # fmt: skip
# What is shown has an id of its own kind.
IDS = {"AssigneeShown": "usr", "AttachmentShown": "file", "AttemptShown": "att",
       "ConversationExported": "conv", "ConversationShown": "conv", "CustomFieldShown": "cf",
       "DeliveryShown": "dlv", "FeedEvent": "evt", "JobShown": "job", "LeadShown": "lead",
       "MessageExported": "msg", "MessageShown": "msg", "Named": "org", "ReplyShown": "rpl", "WhoamiSource": "src",
       "SourceShown": "src", "WebhookEvent": "evt", "WebhookMade": "wh", "WebhookShown": "wh"}  # fmt: skip


def add_examples(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give every field of every component its example."""
    for component, schema in result["components"]["schemas"].items():
        _describe(schema, component)
    return result


def _describe(schema: dict[str, Any], component: str) -> None:
    for name, field in schema.get("properties", {}).items():
        example = _example(name, field, component)
        if example:
            field["examples"] = example
        _describe(field, component)
        if isinstance(field.get("items"), dict):
            _describe(field["items"], component)


def _example(name: str, field: dict[str, Any], component: str) -> list[Any]:
    """One example in a list, as JSON Schema has it; none for what explains itself or is described elsewhere."""
    if ELSEWHERE & (field.keys() | field.get("items", {}).keys()) or field.get("type") == "boolean":
        return []
    if field.get("format") == "date-time":
        return [MOMENTS.get(name, _AT)]
    if name == "id":
        return [f"{IDS[component]}_{_ID}"] if component in IDS else [12] if field.get("type") == "integer" else []
    if name == "status":
        return [404] if field.get("type") == "integer" else ["Lead"]
    if name == "type":
        return ["about:blank"] if component == "Problem" else ["lead.created"]
    return [EXAMPLES[name]] if name in EXAMPLES else []
