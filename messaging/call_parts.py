"""A provider's call, and what it can bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from messaging.failures import NotSent
from understanding.bounces import Report


@dataclass(frozen=True)
class ProviderCall:
    """A call of a provider, as it came."""

    url: str  # as the provider called it
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""


@dataclass(frozen=True)
class InboundFile:
    """A file that came with a message, and that the provider still has."""

    media_id: str  # the provider's id or address of it
    name: str = ""
    content_type: str = ""  # as the provider says


@dataclass(frozen=True)
class InboundMessage:
    """Something that a person wrote to one of our addresses."""

    id: str  # the provider's
    sender: str  # E.164 or an email address
    text: str
    sender_name: str = ""
    said_at: datetime | None = None  # by the sender's clock
    account: str = ""  # which of our accounts it came to, where one call brings for several
    files: Sequence[InboundFile] = ()
    answers: str = ""  # the provider's id of the message that it answers


class Progress(StrEnum):
    """How far a provider has come with a message."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


@dataclass(frozen=True)
class StatusUpdate:
    """What a provider reports about a message of ours."""

    id: str  # the provider's
    progress: Progress
    reference: str = ""  # ours, where the provider repeats it
    failure: NotSent | None = None
    reported_at: datetime | None = None  # by the provider's clock
    account: str = ""  # as with an inbound message


@dataclass(frozen=True)
class InboundEmail:
    """A mail that somebody wrote, whole."""

    raw: bytes
    envelope_from: str  # "" where it is not known
    envelope_to: str


@dataclass(frozen=True)
class MailReport:
    """What an ESP says of a mail of ours that did not simply arrive."""

    id: str  # the provider's
    reference: str  # ours; "" where the provider does not repeat it
    report: Report


@dataclass(frozen=True)
class OptedOut:
    """Whoever got this message told the provider that they want no more."""

    id: str
    reference: str


Part = InboundMessage | InboundEmail | StatusUpdate | MailReport | OptedOut
