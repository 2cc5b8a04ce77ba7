"""All that is known of one person, for them to have."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models.functions import Length

from conversations.models import Conversation, Message
from conversations.presentation import conversation_json, messages_json
from core.ids import rfc3339
from leads.models import Lead
from messaging.models import InboundMail

MAIL_MAX, MAILS_MAX = 1_000_000, 20_000_000  # bytes of one mail, of all, that are in the answer


def export_conversations(lead: Lead) -> list[dict[str, Any]]:
    """Return every conversation with every message and note, quotes, signatures and the mails behind them."""
    messages = list(Message.objects.filter(conversation__lead=lead).order_by("id"))
    mails = _mails(messages)
    by_conversation: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for message, json in zip(messages, messages_json(messages), strict=True):
        shown = {**json, "folded": message.quoted_text, "mails": mails[message.pk]}
        by_conversation[message.conversation_id].append(shown)
    rows = Conversation.objects.filter(lead=lead).select_related("connection", "assignee").order_by("id")
    return [
        {
            **conversation_json(row, [], row.connection.kind if row.connection else None),
            "messages": by_conversation[row.pk],
        }
        for row in rows
    ]


def _mails(messages: Iterable[Message]) -> dict[UUID, list[dict[str, Any]]]:
    """The mails behind messages, as base64. Of those that are too large only the size: a page of the team has them."""
    by_message: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    rows = (
        InboundMail.objects.filter(message_id__in=[message.pk for message in messages])
        .exclude(header_id="")
        .order_by("id")
    )
    left = MAILS_MAX
    for mail in rows.defer("raw").annotate(size=Length("raw")):
        size: int = vars(mail)["size"]  # annotated
        content = None
        if size <= min(MAIL_MAX, left) and mail.message_id:
            content = base64.b64encode(bytes(mail.raw)).decode()
            left -= size
        shown = {"received_at": rfc3339(mail.received_at), "size": size, "content": content}
        if mail.message_id:
            by_message[mail.message_id].append(shown)
    return by_message
