"""What all ESPs have in common: anymail sends, checks who calls, and understands what they report."""

from __future__ import annotations

import json
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
    AnymailWebhookValidationFailure,
)
from django.core.mail import EmailMultiAlternatives
from requests import Response

from core.http_client import Answer, NotAnswered, NotConnected, call
from messaging.base import Account, Outgoing, Provider, Setting
from messaging.call_parts import InboundEmail, Part, ProviderCall
from messaging.email.sending import build
from messaging.esp.calls import REFERENCE, mail_of, parts_of, request_of, understood
from messaging.esp.errors import refused, words_of
from messaging.esp.http import guarded_session
from messaging.failures import NotSent, may_have_been_sent

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
    def view(self, account: Account, call: ProviderCall) -> Any:
        """Return anymail's webhook view for a call. Raise ValueError for a body that is no JSON."""

    @abstractmethod
    def is_mail(self, call: ProviderCall) -> bool:
        """True for a call that brings a mail; the others report on ours. Raise ValueError as `view`."""

    @abstractmethod
    def raw_mail(self, account: Account, call: ProviderCall) -> InboundEmail | None:
        """Return the mail of a call that brings it whole; None for one that has taken it apart."""

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
        try:
            self.view(account, call).run_validators(request_of(call))
        except (AnymailWebhookValidationFailure, AnymailError, ValueError, LookupError, TypeError, AttributeError):
            return False
        return True

    def parse(self, account: Account, call: ProviderCall) -> Iterable[Part]:
        view = self.view(account, call)
        if not self.is_mail(call):
            return parts_of(understood(view, call), self.label, self.hardness)
        whole = self.raw_mail(account, call)
        return [whole] if whole else [mail_of(event) for event in understood(view, call)]


def over_http(backend: Any) -> Any:
    """Return a backend of anymail whose calls go by our own client."""
    backend.session = guarded_session()
    return backend


def json_of(call: ProviderCall) -> dict[str, Any]:
    """Return the object of a call's body; empty where it is none. Raise ValueError for a body that is no JSON."""
    value = json.loads(call.body)
    return value if isinstance(value, dict) else {}


def password_of(account: Account) -> str:
    """Return what anymail compares with the user name and password of a call."""
    return f"{USER}:{account.settings['webhook_password']}"


def _id_of(mail: EmailMultiAlternatives) -> str:
    message_id = mail.anymail_status.message_id  # type: ignore[attr-defined]  # anymail's
    return message_id[:ID_MAX] if isinstance(message_id, str) else ""
