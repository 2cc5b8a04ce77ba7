"""SMS by Twilio: send, and understand what it reports and brings."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.conf import settings

from core.http_client import Answer, NotAnswered, NotConnected, call
from messaging.addresses import normalize_phone
from messaging.base import Account, Limits, Outgoing, Provider, Setting
from messaging.call_parts import InboundFile, InboundMessage, Part, Progress, ProviderCall, StatusUpdate
from messaging.failures import NotSent, NotUnderstood, may_have_been_sent
from messaging.files.fetching import fetch_file
from messaging.twilio.errors import explain
from messaging.twilio.signature import is_signed, is_signed_body

REFERENCE = "message"  # in the query of the address at which Twilio reports
FORM_FIELDS_MAX = 400
PROGRESS = {
    "sent": Progress.SENT,
    "delivered": Progress.DELIVERED,
    "read": Progress.READ,
    "undelivered": Progress.FAILED,
    "failed": Progress.FAILED,
}
MEDIA_MAX = 10
SEND_SECONDS, ASK_SECONDS = 20.0, 8.0  # a person waits for what is asked
SHORT_CODE_MAX = 6  # digits
TOLL_FREE = ("+1800", "+1833", "+1844", "+1855", "+1866", "+1877", "+1888")


class Twilio(Provider):
    slug, label, channel = "twilio", "Twilio", "sms"
    address_label = "Phone number"
    settings = (
        Setting("account_sid", "Account SID", "On the first page of the Twilio console.", r"AC[0-9a-fA-F]{32}",
                "AC0123456789abcdef0123456789abcdef"),
        Setting("auth_token", "Auth Token", "Beside the Account SID.", r"[\x21-\x7e]+", "", is_secret=True),
        Setting("messaging_service_sid", "Messaging Service SID", "Only if you send through a messaging service.",
                r"MG[0-9a-fA-F]{32}", "MG0123456789abcdef0123456789abcdef", is_required=False),
    )  # fmt: skip
    steps = (
        "In Twilio, open Phone Numbers, Manage, Active numbers, and choose your number.",
        "Under Messaging, for “A message comes in”, choose Webhook and HTTP POST, and paste this address.",
        "Save. Then send an SMS from your own phone to the number: it arrives here.",
    )

    def send(self, account: Account, message: Outgoing) -> str:
        separator = "&" if urlsplit(account.callback_url).query else "?"
        fields = {
            "To": message.to,
            "Body": message.text,
            "StatusCallback": f"{account.callback_url}{separator}{urlencode({REFERENCE: message.reference})}",
        }
        service = account.settings.get("messaging_service_sid", "")
        fields |= {"MessagingServiceSid": service} if service else {"From": account.address}
        files = [("MediaUrl", file.url) for file in message.files]  # Twilio fetches them
        try:
            answer = self._call("POST", account, "/Messages.json", urlencode([*fields.items(), *files]).encode())
        except NotAnswered as error:
            raise may_have_been_sent("Twilio did not confirm it") from error
        if answer.status not in (200, 201):
            raise _failure(answer)
        sid = answer.json.get("sid")
        if not isinstance(sid, str) or not sid:
            raise may_have_been_sent("Twilio's answer names no message")
        return sid[:64]

    def limits(self, account: Account) -> Limits:
        """By the kind of number: https://help.twilio.com/articles/115002943027

        A messaging service keeps a queue of its own, and so spreads over the numbers that it has.
        """
        if account.settings.get("messaging_service_sid") or len(account.address.lstrip("+")) <= SHORT_CODE_MAX:
            return Limits(per_second=100)
        return Limits(per_second=3 if account.address.startswith(TOLL_FREE) else 1)

    def check(self, account: Account) -> str:
        try:
            answer = self._call("GET", account, ".json")
        except NotAnswered as error:
            raise NotSent("channel.failed", f"Twilio did not answer: {error}", is_permanent=False) from error
        if answer.status != 200:
            raise _failure(answer)
        name, status = answer.json.get("friendly_name", ""), answer.json.get("status", "")
        if status != "active":
            raise NotSent("channel.failed", f"The Twilio account is {status or 'not active'}.", is_permanent=False)
        return f"Twilio knows the account “{str(name)[:100]}”."

    def fetch(self, account: Account, media_id: str) -> bytes:
        """Twilio names the address of a file, wants the account's credentials there, and sends us on without them."""
        if not media_id.startswith(f"{settings.LEADWIRE_TWILIO_URL}/"):
            raise NotSent("channel.failed", "The file is not at Twilio.", is_permanent=True)
        return fetch_file(media_id, self._authorization(account), "Twilio")

    def _authorization(self, account: Account) -> dict[str, str]:
        sid, token = account.settings["account_sid"], account.settings["auth_token"]
        return {"Authorization": "Basic " + base64.b64encode(f"{sid}:{token}".encode()).decode()}

    def _call(self, method: str, account: Account, path: str, body: bytes | None = None) -> Answer:
        sid, headers = account.settings["account_sid"], self._authorization(account)
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        url = f"{settings.LEADWIRE_TWILIO_URL}/2010-04-01/Accounts/{sid}{path}"
        try:
            return call(method, url, headers=headers, body=body, seconds=ASK_SECONDS if body is None else SEND_SECONDS)
        except NotConnected as error:
            raise NotSent("channel.failed", f"Twilio could not be reached: {error}", is_permanent=False) from error

    def verify(self, account: Account, call: ProviderCall) -> bool:
        signature = call.headers.get("X-Twilio-Signature", "")
        token = account.settings["auth_token"]
        if "bodySHA256=" in call.url:
            return is_signed_body(call.url, call.body, signature, token)
        try:
            fields = _fields(call)
        except NotUnderstood:
            return False
        return is_signed(call.url, fields, signature, token)

    def parse(self, account: Account, call: ProviderCall) -> Iterable[Part]:
        fields = dict(_fields(call))
        sid = fields.get("MessageSid") or fields.get("SmsSid", "")
        if not sid:
            raise NotUnderstood("It names no message.")
        status = fields.get("MessageStatus") or fields.get("SmsStatus", "")
        if "Body" in fields or status in ("received", "receiving"):
            return [_inbound(sid, fields)]
        progress = PROGRESS.get(status)
        if progress is None:  # queued, sending and what Twilio may add: nothing that we do not know
            return []
        code = fields.get("ErrorCode", "")
        failure = None
        if progress is Progress.FAILED:
            failure = explain(int(code) if code.isascii() and code.isdigit() else 0, fields.get("ErrorMessage", ""), 0)
        reference = dict(parse_qsl(urlsplit(call.url).query)).get(REFERENCE, "")
        return [StatusUpdate(id=sid, progress=progress, reference=reference, failure=failure)]

    def acknowledgement(self, call: ProviderCall) -> tuple[str, str]:
        return "text/xml", "<Response/>"


def _failure(answer: Answer) -> NotSent:
    code = answer.json.get("code")
    words = str(answer.json.get("message", ""))
    return explain(code if isinstance(code, int) else 0, words, answer.status, answer.retry_after)


def _fields(call: ProviderCall) -> list[tuple[str, str]]:
    """The fields of a call: a form, values not trimmed. Raise NotUnderstood."""
    try:
        text = call.body.decode()
        return parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=FORM_FIELDS_MAX
        )
    except ValueError as error:
        raise NotUnderstood("The body is not a form.") from error


def _inbound(sid: str, fields: dict[str, str]) -> InboundMessage:
    sender = normalize_phone(fields.get("From", ""))
    if not sender:
        raise NotUnderstood("It names no sender.")
    text = fields.get("Body", "")
    count = fields.get("NumMedia", "0")
    files = [
        InboundFile(fields[f"MediaUrl{index}"][:2_000], content_type=fields.get(f"MediaContentType{index}", "")[:100])
        for index in range(min(int(count), MEDIA_MAX) if count.isascii() and count.isdigit() else 0)
        if f"MediaUrl{index}" in fields
    ]
    return InboundMessage(id=sid[:64], sender=sender, text=text, files=files)
