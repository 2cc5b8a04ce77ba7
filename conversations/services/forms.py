"""A website form: keep what came, once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from accounts.models import Source
from conversations.services.arrivals import InboundContent, arrive
from conversations.services.new_leads import website_of
from core.problems import Refusal
from core.text import list_data
from leads.services import Details, identify_by_channel

TITLE_SHOWN = 80  # characters
NONCE_KEPT = timedelta(hours=24)
SAME_BODY_WITHIN = timedelta(seconds=60)

_ONCE = """
INSERT INTO conversations_usednonce AS o (digest, outcome, expires_at) VALUES (%(digest)s, '{}', now() + %(kept)s)
ON CONFLICT (digest) DO UPDATE SET expires_at = now() + %(kept)s WHERE o.expires_at < now() RETURNING 1
"""


@dataclass
class Submission:
    """One form, as the visitor filled it in."""

    details: Details
    message: str = ""
    title: str = ""
    more: dict[str, Any] = field(default_factory=dict)  # the fields that we do not know
    nonce: str = ""
    address: str = ""

    @property
    def identity(self) -> tuple[bytes, timedelta]:
        """What makes it the same submission: its body with its nonce, else with the sender's address for a minute.

        The nonce alone would not do: browsers put it back into the form when somebody returns to write once more.
        """
        body = json.dumps([vars(self.details), self.message, self.title, self.more], sort_keys=True)
        if self.nonce:
            return hashlib.sha256(f"nonce:{self.nonce}:{body}".encode()).digest(), NONCE_KEPT
        return hashlib.sha256(f"body:{self.address}:{body}".encode()).digest(), SAME_BODY_WITHIN


def beginning_of(message: str) -> str:
    """Return the first words of a message, for a title."""
    text = " ".join(message.split())
    return text if len(text) <= TITLE_SHOWN else f"{text[:TITLE_SHOWN].rsplit(' ', 1)[0]}…"


@transaction.atomic
def take_submission(*, source: Source, submission: Submission) -> bool:
    """Make a lead's message of a form. False when the same submission was here before: then nothing is written.

    A repeat that comes while the first is still being written waits for it. Raise Refusal `channel.notConnected`.
    """
    website = website_of(source)
    if website is None or website.disconnected_at:
        raise Refusal(422, "channel.notConnected", "This form is not in use.")
    identity, kept = submission.identity
    digest = hashlib.sha256(source.pk.bytes + identity).digest()
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"digest": digest, "kept": kept}
        cursor.execute(_ONCE, values)
        if cursor.fetchone() is None:
            return False
    who = identify_by_channel(source=source, details=submission.details)
    extra = list_data(submission.more)
    content = "\n\n".join(part for part in (submission.message, extra) if part) or submission.title
    words = InboundContent(
        content=content or "(sent the form without a message)",
        title=submission.title or beginning_of(submission.message) or "Website form",
        connection=website,
    )
    arrive(source=source, who=who, words=words)
    return True
