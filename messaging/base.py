"""What every channel and every provider can say and do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from messaging.call_parts import Part, ProviderCall
from messaging.failures import NotSent, NotUnderstood


@dataclass(frozen=True)
class FilledTemplate:
    """A template with the texts of its variables. `names`: of named variables, in the same order; else empty."""

    name: str
    language: str
    variables: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class OutgoingFile:
    """A file that goes out with a message."""

    name: str
    content_type: str
    size: int  # bytes
    url: str  # where a provider gets it that fetches files itself; the link ends after a day
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Outgoing:
    """A message as a channel sends it: plain values, so that no channel knows what a conversation is.

    `is_from_a_program`: nobody of the team typed it. `is_automatic`: nobody decided on it either (RFC 3834).
    """

    reference: str  # our id of the message, which providers repeat in their reports
    to: str  # the lead's address on the channel
    text: str
    # What follows is for mail.
    html: str = ""
    subject: str = ""
    message_id: str = ""  # with angle brackets (RFC 5322, 3.6.4); the same however often it is sent
    references: list[str] = field(default_factory=list)  # Message-IDs of the thread so far, the oldest first
    sender_name: str = ""
    sender_address: str = ""
    reply_to: str = ""
    return_path: str = ""  # where mail servers report that it did not arrive; "": to the sender
    unsubscribe_url: str = ""  # of mail that nobody decided on; "" for what a person or the business's system wrote
    is_from_a_program: bool = False
    is_automatic: bool = False
    template: FilledTemplate | None = None
    files: Sequence[OutgoingFile] = ()


@dataclass(frozen=True)
class Template:
    """A message that a provider has approved, to be sent at any time. Its body has variables: {{1}}, or {{name}}."""

    name: str
    language: str
    category: str
    status: str  # APPROVED, PENDING, REJECTED, PAUSED, DISABLED
    body: str
    is_sendable: bool  # False: it needs a file, or a variable outside the body


@dataclass(frozen=True)
class Channel:
    """A way to a lead, whoever provides it."""

    slug: str
    label: str
    max_length: int | None = None  # characters; None: it only receives
    address: str = ""  # by which of a lead's addresses: "email" or "phone"
    is_mail: bool = False
    max_length_with_file: int | None = None  # characters, where that is less
    files_max: int = 0  # of one message
    file_bytes_max: int = 0  # of all files of one message
    window: timedelta | None = None  # after the lead's last message only templates may be sent


@dataclass(frozen=True)
class Setting:
    """One thing that has to be known of an account at a provider. It is a column of the provider's model."""

    name: str
    label: str
    help_text: str = ""
    pattern: str = ""  # what the whole text matches
    example: str = ""
    max_length: int = 200  # characters
    is_secret: bool = False  # kept encrypted, never shown again
    is_server: bool = False  # secrets are sent there: for another server they have to be entered again
    is_granted: bool = False  # it comes from the provider's own page, and nobody enters it
    is_required: bool = True


@dataclass(frozen=True)
class Account:
    """An account at a provider, as plain values."""

    address: str  # the number or mailbox that leads see
    settings: Mapping[str, str] = field(default_factory=dict)  # by the names of the provider's settings
    callback_url: str = ""  # where the provider reports, and brings what leads write


@dataclass(frozen=True)
class PairLimit:
    """At most one message in so many seconds from one account to one person; a burst is lent and paid back."""

    seconds: float
    burst: int


@dataclass(frozen=True)
class Limits:
    """At most so many messages in a second, an hour and a day; None: no such limit."""

    per_second: float | None = None
    per_hour: int | None = None
    per_day: int | None = None


class Provider(ABC):
    """Carries messages of one channel. It gets plain values, never a model, and is used from many threads."""

    slug: ClassVar[str]
    label: ClassVar[str]
    channel: ClassVar[str]  # the slug of its channel
    settings: ClassVar[tuple[Setting, ...]] = ()
    address_label: ClassVar[str] = ""  # what `Account.address` is, for people; "": it needs none
    # How one connects it, step by step, for people; `{url}` is where the provider shall call.
    steps: ClassVar[tuple[str, ...]] = ()
    is_called: ClassVar[bool] = True  # it calls us; False: we look there
    takes_mails: ClassVar[bool] = False  # its calls bring whole mails, with their files
    asks_for_password: ClassVar[bool] = False  # it says who it is only when it is asked (RFC 7617)
    needs_consent: ClassVar[bool] = False  # one signs in on the provider's page, instead of entering credentials
    is_built_in: ClassVar[bool] = False  # every source has it without any set-up
    pair_limit: ClassVar[PairLimit | None] = None
    # The setting by which one call names several accounts (`InboundMessage.account`); "": each has calls of its own.
    account_setting: ClassVar[str] = ""
    # The lead sees a message once, even if it is sent twice. Else what may have been sent is never sent again.
    may_send_again: ClassVar[bool] = False

    @abstractmethod
    def send(self, account: Account, message: Outgoing) -> str:
        """Hand a message to the provider. Return the provider's id of it, "" where there is none. Raise NotSent."""

    @property
    def title(self) -> str:
        """How it is called where it stands alone."""
        return self.label

    @property
    def is_offered(self) -> bool:
        """False where this installation is not set up for it."""
        return not self.is_built_in

    def fixed_settings(self) -> Mapping[str, str]:
        """Return settings that are the same for all accounts."""
        return {}

    def answers_to(self, account: Account) -> str:
        """Return the mail address at which answers of leads arrive here; "" where none do."""
        return account.address

    def addresses(self, callback_url: str) -> list[tuple[str, str]]:
        """Return the addresses to enter at the provider, each with what it is for, in words."""
        return [(f"Address for {self.label}", callback_url)]

    def limits(self, account: Account) -> Limits:
        """Return how fast the provider lets this account send. People may choose less, never more."""
        return Limits()

    def check(self, account: Account) -> str:
        """Ask the provider whether it knows the account. Return its answer in words. Raise NotSent."""
        return "Nothing has to be checked."

    def fetch(self, account: Account, media_id: str) -> bytes:
        """Get a file that came with a message, by its id or address at the provider. Raise NotSent."""
        raise NotSent("channel.failed", f"{self.label} brings no files.", is_permanent=True)

    def templates(self, account: Account) -> list[Template]:
        """Return the templates of the account. Raise NotSent."""
        return []

    def verify(self, account: Account, call: ProviderCall) -> bool:
        """True when the call really comes from the provider."""
        return False

    def parse(self, account: Account, call: ProviderCall) -> Iterable[Part]:
        """Return what a verified call brings. Raise NotUnderstood."""
        raise NotUnderstood(f"{self.label} calls nobody.")

    def challenge(self, account: Account, query: Mapping[str, str]) -> str | None:
        """Return what a provider is answered that tries an address with GET before it uses it; None: nothing."""
        return None

    def acknowledgement(self, call: ProviderCall) -> tuple[str, str]:
        """Return the content type and the body that the provider expects for an answer."""
        return "text/plain", ""
