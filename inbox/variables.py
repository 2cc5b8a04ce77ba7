"""Variables of saved replies: {{first_name}} and its like."""

from __future__ import annotations

import re
from collections.abc import Mapping

from accounts.models import User
from conversations.models import Conversation

VARIABLES = {
    "first_name": "The lead's first name",
    "last_name": "The lead's last name",
    "full_name": "The lead's full name",
    "email": "The lead's email",
    "phone": "The lead's phone number",
    "source": "The business or location",
    "agent": "Your own name",
}
_WRITTEN = re.compile(r"\{\{\s*([^{}]{0,60}?)\s*\}\}")


def variables_in(text: str) -> list[str]:
    """Return the names that stand in double braces, each once."""
    return list(dict.fromkeys(_WRITTEN.findall(text)))


def values_of(conversation: Conversation, agent: User) -> dict[str, str]:
    """Return what the variables stand for here. The conversation has its lead and source loaded."""
    lead = conversation.lead
    return {
        "first_name": lead.first_name,
        "last_name": lead.last_name,
        "full_name": f"{lead.first_name} {lead.last_name}".strip(),
        "email": lead.email,
        "phone": lead.phone,
        "source": conversation.source.name,
        "agent": agent.name,
    }


def filled(text: str, values: Mapping[str, str]) -> str:
    """Fill in what is known. The rest stays as it is written, so that somebody sees it and nobody sends it."""
    return _WRITTEN.sub(lambda written: values.get(written[1]) or written[0], text)


def left_open(text: str) -> list[str]:
    """Return our variables that nobody has filled in."""
    return [name for name in variables_in(text) if name in VARIABLES]
