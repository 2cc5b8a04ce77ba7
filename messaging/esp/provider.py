"""What all ESPs have in common: anymail sends, checks who calls, and understands what they report."""

from __future__ import annotations

import base64
import warnings
from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from anymail.exceptions import (
    AnymailAPIError,
    AnymailError,
    AnymailNotSupportedWarning,
    AnymailRecipientsRefused,
)
from django.core.mail import EmailMultiAlternatives
from django.utils.crypto import constant_time_compare
from requests import Response

from core.http_client import Answer, NotAnswered, NotConnected, call
from messaging.base import Account, Outgoing, Provider, Setting
from messaging.call_parts import InboundEmail, Part, ProviderCall
from messaging.email.sending import build
from messaging.esp.calls import REFERENCE, parts_of
from messaging.esp.errors import refused, words_of
from messaging.esp.http import guarded_session
from messaging.failures import NotNow, NotSent, NotUnderstood, may_have_been_sent

VERIFIED = "verified"  # anymail's views want the webhook password too; `verify` has compared it
ASK_SECONDS = 8.0  # a person waits
USER = "leadwire"  # by which an ESP shows itself, with the webhook password
ID_MAX = 200  # characters of an ESP's id of a message
EMAIL = r"[^\s@]{1,64}@[^\s@]{1,190}"

# SendGrid's own tests of anymail have ended, as it offers no free account; its API has not changed since.
warnings.filterwarnings("ignore", category=AnymailNotSupportedWarning)

WEBHOOK_PASSWORD = Setting(
    "webhook_password",
    "Webhook password",
    "A long one of your choice. The provider shows it when it calls Leadwire.",
    r"[A-Za-z0-9._~-]{16,100}",
    "16 letters or digits at least",
    max_length=100,
    is_secret=True,
)
INBOUND_ADDRESS = Setting(
    "inbound_address",
    "Address for answers",
    "Where the provider takes mail for you. Empty: leads answer to Leadwire's own address.",
    EMAIL,
    "replies@in.example.com",
    max_length=254,
    is_required=False,
)
REGION = Setting("region", "Region", "us or eu. Empty: us.", r"us|eu", "eu", max_length=2, is_required=False)


class Esp(Provider):
    channel = "email"
    address_label = "Mail address"
    takes_mails = True
    more_headers: ClassVar[Mapping[str, str]] = {}  # of each mail
    hardness: ClassVar[Mapping[str, bool]] = {}  # by what it calls a bounce: True where the address does not exist

    @property
    def title(self) -> str:
        return f"email by {self.label}"

    def answers_to(self, account: Account) -> str:
        return account.settings.get("inbound_address", "")

    def addresses(self, callback_url: str) -> list[tuple[str, str]]:
        scheme, _, rest = callback_url.partition("://")
        return [
            (f"Address for {self.label}", callback_url),
            (
                "The same with its user name; put the webhook password in place of PASSWORD",
                f"{scheme}://{USER}:PASSWORD@{rest}",
            ),
        ]

    @abstractmethod
    def backend(self, account: Account) -> Any:
        """Return anymail's backend."""

    @abstractmethod
    def events(self, account: Account, call: ProviderCall) -> Iterable[Any]:
        """Return what anymail makes of a call that reports on our mails."""

    @abstractmethod
    def is_mail(self, call: ProviderCall) -> bool:
        """True for a call that brings a mail; the others report on ours. Raise NotUnderstood."""

    @abstractmethod
    def whole_mail(self, account: Account, call: ProviderCall) -> InboundEmail | None:
        """Return the mail of a call; None where the ESP has taken it apart. Raise NotUnderstood."""

    def send(self, account: Account, message: Outgoing) -> str:
        mail = build(replace(message, return_path=""))  # what comes back comes to the ESP
        mail.extra_headers.pop("Date")  # it writes its own
        mail.extra_headers.update(self.more_headers)
        mail.metadata = {REFERENCE: message.reference}  # type: ignore[attr-defined]  # anymail's
        try:
            self.backend(account).send_messages([mail])
        except NotConnected as error:
            detail = f"{self.label} could not be reached: {error}"
            raise NotSent("channel.failed", detail, is_permanent=False) from error
        except NotAnswered as error:
            raise may_have_been_sent(f"{self.label} did not confirm it") from error
        except AnymailError as error:
            raise self.explain(error) from error
        except ValueError as error:
            raise NotSent("channel.failed", f"This mail cannot be written: {error}", is_permanent=True) from error
        except (LookupError, TypeError, AttributeError) as error:  # anymail looked for something in the answer
            raise self._no_answer() from error
        return _id_of(mail)

    def explain(self, error: AnymailError) -> NotSent:
        """Return the failure for what anymail raised."""
        if isinstance(error, AnymailRecipientsRefused):
            detail = f"{self.label} does not send to this address: mail to it came back, or its owner complained."
            return NotSent("channel.refused", detail, is_permanent=True)
        if not isinstance(error, AnymailAPIError):
            return NotSent("channel.failed", f"This mail cannot be written: {error}", is_permanent=True)
        if not isinstance(error.response, Response):  # it was not even asked
            detail = f"{self.label} could not be asked: {type(error.__cause__ or error).__name__}"
            return NotSent("channel.failed", detail, is_permanent=False)
        answer = Answer(error.response.status_code, error.response.content, error.response.headers)
        if 200 <= answer.status < 300:
            return self._no_answer()
        return self.refusal(answer)

    def _no_answer(self) -> NotSent:
        return may_have_been_sent(f"{self.label}'s answer names no message")

    def refusal(self, answer: Answer) -> NotSent:
        """Return the failure for an answer of the ESP."""
        return refused(self.label, answer.status, words_of(answer.json), answer.retry_after)

    def ask(self, method: str, url: str, headers: Mapping[str, str], *, taken: Collection[int] = ()) -> Answer:
        """Ask the ESP something. Raise NotSent for whatever is no answer of 2xx, or with a status of `taken`."""
        try:
            answer = call(method, url, headers=headers, body=b"" if method == "POST" else None, seconds=ASK_SECONDS)
        except (NotConnected, NotAnswered) as error:
            detail = f"{self.label} did not answer: {error}"
            raise NotSent("channel.failed", detail, is_permanent=False) from error
        if not (200 <= answer.status < 300 or answer.status in taken):
            raise self.refusal(answer)
        return answer

    def verify(self, account: Account, call: ProviderCall) -> bool:
        """By user name and password (RFC 7617), before anything in the body is looked at."""
        return constant_time_compare(call.headers.get("Authorization", ""), authorization_of(account))

    def parse(self, account: Account, call: ProviderCall) -> Iterable[Part]:
        try:
            if not self.is_mail(call):
                return parts_of(self.events(account, call), self.label, self.hardness)
            mail = self.whole_mail(account, call)
        except (NotUnderstood, NotNow):
            raise
        except Exception as error:  # strangers write what is in it, and anymail looks for what is not there
            # Without the error's own words, which may be the lead's.
            raise NotUnderstood(
                f"It is not what {self.label}'s documentation says ({type(error).__name__})."
            ) from error
        if mail is None:
            raise NotUnderstood(
                f"A mail came in parts and was not taken. Let {self.label} post whole mails: see below."
            )
        return [mail]


def authorization_of(account: Account) -> str:
    """Return the header by which an ESP shows that it knows the webhook password."""
    password = account.settings["webhook_password"]
    return "Basic " + base64.b64encode(f"{USER}:{password}".encode()).decode()


def over_http(backend: Any) -> Any:
    """Return a backend of anymail whose calls go by our own client."""
    backend.session = guarded_session()
    return backend


def _id_of(mail: EmailMultiAlternatives) -> str:
    message_id = mail.anymail_status.message_id  # type: ignore[attr-defined]  # anymail's
    return message_id[:ID_MAX] if isinstance(message_id, str) else ""
