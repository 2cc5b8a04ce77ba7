"""What every channel can say and do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Outgoing:
    """A message as a channel sends it: plain values, so that no channel knows what a conversation is.

    `is_from_a_program`: nobody of the team typed it. `is_automatic`: nobody decided on it either (RFC 3834).
    """

    to: str  # the lead's address on the channel
    text: str
    html: str
    subject: str
    message_id: str  # with angle brackets (RFC 5322, 3.6.4); the same however often it is sent
    references: list[str]  # Message-IDs of the thread so far, the oldest first
    sender_name: str
    sender_address: str
    reply_to: str
    unsubscribe_url: str  # of mail that nobody decided on; "" for what a person or the business's system wrote
    is_from_a_program: bool
    is_automatic: bool


class NotSent(Exception):
    """A message did not reach its provider: is it worth another try, and what does a person read?

    `is_unknown`: the provider may have taken it all the same.
    """

    def __init__(self, code: str, detail: str, *, is_permanent: bool, is_unknown: bool = False) -> None:
        super().__init__(detail)
        self.code, self.detail, self.is_permanent, self.is_unknown = code, detail, is_permanent, is_unknown


class Channel:
    """A way to a lead."""

    slug: ClassVar[str]
    label: ClassVar[str]
    max_length: ClassVar[int | None] = None  # characters; None: it only receives

    def send(self, message: Outgoing) -> None:
        """Hand the message to the provider. Raise NotSent."""
        raise NotSent("channel.unavailable", f"{self.label} only receives.", is_permanent=True)
