"""Mail by Amazon SES: https://docs.aws.amazon.com/ses/latest/dg"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from anymail.exceptions import AnymailAPIError, AnymailError
from django.conf import settings

from messaging.base import Account, Setting
from messaging.call_parts import InboundEmail, ProviderCall
from messaging.email.files import MAIL_MAX_BYTES
from messaging.esp.calls import inbound_email, object_of, request_of
from messaging.esp.errors import refused
from messaging.esp.http import SEND_SECONDS
from messaging.esp.provider import ASK_SECONDS, INBOUND_ADDRESS, VERIFIED, WEBHOOK_PASSWORD, Esp
from messaging.failures import NotNow, NotSent, NotUnderstood, may_have_been_sent

CLIENTS_MAX = 50  # a client takes long to make, and some megabytes
CONNECT_SECONDS = 5
AWS_ADDRESS = re.compile(r"https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[!-~]{1,900}")
SANDBOX = " The account is in the sandbox: it sends to addresses that you verified there only."


class Ses(Esp):
    slug, label = "ses", "Amazon SES"
    asks_for_password = True  # SNS sends it only when asked
    settings = (
        Setting("access_key_id", "Access key ID",
                "Of an IAM user that may ses:SendEmail, ses:SendRawEmail and ses:GetAccount.", r"[A-Z0-9]{16,128}",
                "AKIAIOSFODNN7EXAMPLE", max_length=128),
        Setting("secret_access_key", "Secret access key", "It is shown once, when the key is made.", r"[\x21-\x7e]+",
                is_secret=True),
        Setting("region", "Region", "Where your SES identities are.", r"[a-z]{2}(-[a-z]+){1,3}-\d", "eu-west-1",
                max_length=30),
        Setting("configuration_set", "Configuration set", "Only if you send by one.", r"[A-Za-z0-9_-]{1,64}",
                "leadwire", max_length=64, is_required=False),
        WEBHOOK_PASSWORD,
        INBOUND_ADDRESS,
    )  # fmt: skip
    steps = (
        "In Amazon SNS, create a topic, and in it a subscription with the protocol HTTPS and the second"
        " address. Leadwire confirms it by itself if the key may sns:ConfirmSubscription.",
        "In SES, let your identity (Notifications, with original headers) or your configuration set publish"
        " deliveries, bounces and complaints to that topic.",
        "To take mail in, create a receipt rule that publishes to a topic like this one (mails up to 150 KB) or puts"
        " mails into a bucket that the key may read, and tells the topic.",
        "Send a test below: this page turns green when SES says that it arrived.",
    )
    hardness = {"Permanent": True, "Transient": False, "Undetermined": False}

    @property
    def is_offered(self) -> bool:
        return find_spec("boto3") is not None  # an extra: `ses`

    def backend(self, account: Account) -> Any:
        from anymail.backends.amazon_ses import EmailBackend
        from botocore.exceptions import BotoCoreError

        session, client = _parameters(account, SEND_SECONDS)
        backend = EmailBackend(
            session_params=session,
            client_params=client,
            configuration_set_name=account.settings.get("configuration_set") or None,
        )
        try:
            backend.client = _client(*_named(account))
        except BotoCoreError as error:
            raise _refusal(error) from error
        return backend

    def events(self, account: Account, call: ProviderCall) -> Iterable[Any]:
        """Confirm a subscription of SNS by the way, which is an event of nothing."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return list(self._view(account).parse_events(request_of(replace(call, content_type="application/json"))))
        except (BotoCoreError, ClientError) as error:
            address = str(object_of(call.body).get("SubscribeURL", ""))
            shown = f" Open {address} to do it." if AWS_ADDRESS.fullmatch(address) else ""
            raise NotUnderstood(f"The subscription could not be confirmed: {_words(error)}.{shown}") from error

    def _view(self, account: Account) -> Any:
        from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView

        session, client = _parameters(account, ASK_SECONDS)
        return AmazonSESTrackingWebhookView(session_params=session, client_params=client, webhook_secret=VERIFIED)

    def is_mail(self, call: ProviderCall) -> bool:
        return _notice(call).get("notificationType") == "Received"

    def whole_mail(self, account: Account, call: ProviderCall) -> InboundEmail | None:
        notice = _notice(call)
        receipt = notice["receipt"]
        action = receipt["action"]
        if action["type"] == "S3":
            raw = self._from_bucket(account, str(action["bucketName"]), str(action["objectKey"]))
        else:
            content = str(notice.get("content") or "")
            raw = b64decode(content) if action.get("encoding") == "BASE64" else content.encode("utf-8", "replace")
        if not raw:
            return None
        # Amazon has looked whether the sender may use this address.
        is_forged = any((receipt.get(name) or {}).get("status") == "FAIL" for name in ("dmarcVerdict", "spfVerdict"))
        sender = "" if is_forged else notice["mail"].get("source")
        return inbound_email(raw, sender=sender, recipient=next(iter(receipt.get("recipients") or []), ""))

    def _from_bucket(self, account: Account, bucket: str, key: str) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        try:
            with closing(self._view(account).get_boto_client("s3")) as client:
                content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read(MAIL_MAX_BYTES)
        except ParamValidationError as error:
            raise NotUnderstood(f"This is no name of a bucket or a mail: {_words(error)}") from error
        except (BotoCoreError, ClientError) as error:
            raise NotNow(f"A mail could not be fetched from the bucket {bucket}: {_words(error)}") from error
        return content

    def explain(self, error: AnymailError) -> NotSent:
        from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, HTTPClientError

        cause = error.__cause__
        if not isinstance(error, AnymailAPIError) or cause is None:
            return super().explain(error)
        if isinstance(cause, EndpointConnectionError | ConnectTimeoutError):
            return NotSent("channel.failed", f"Amazon SES could not be reached: {_words(cause)}", is_permanent=False)
        if isinstance(cause, HTTPClientError):
            return may_have_been_sent("Amazon SES did not confirm it")
        return _refusal(cause)

    def check(self, account: Account) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            told = _client(*_named(account)).get_account()
        except (BotoCoreError, ClientError) as error:
            raise _refusal(error) from error
        if not told.get("SendingEnabled", True):
            raise NotSent("channel.failed", "Amazon SES has stopped this account from sending.", is_permanent=False)
        quota = told.get("SendQuota", {})
        words = f"Amazon SES takes {quota.get('Max24HourSend', 0):,.0f} mails a day from this account."
        return words + ("" if told.get("ProductionAccessEnabled") else SANDBOX)


def _notice(call: ProviderCall) -> dict[str, Any]:
    """Return what SES says in a message of SNS; empty for what SNS says itself. Raise NotUnderstood."""
    told = object_of(call.body)
    is_of_ses = told.get("Type") == "Notification" and str(told.get("Message")).lstrip().startswith("{")
    return object_of(told["Message"]) if is_of_ses else {}


def _named(account: Account) -> tuple[str, str, str]:
    return account.settings["access_key_id"], account.settings["secret_access_key"], account.settings["region"]


def _parameters(account: Account, seconds: float) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the parameters of boto3's session and clients: calls are not repeated, or a mail would go out twice."""
    key, secret, region = _named(account)
    session = {"aws_access_key_id": key, "aws_secret_access_key": secret, "region_name": region}
    once = {"connect_timeout": CONNECT_SECONDS, "read_timeout": seconds, "retries": {"total_max_attempts": 1}}
    return session, {"endpoint_url": settings.LEADWIRE_SES_URL or None, "config": once}


@lru_cache(maxsize=CLIENTS_MAX)
def _client(key: str, secret: str, region: str) -> Any:
    """Return a client that all threads use, as boto3 allows; it holds connections of its own."""
    import boto3
    from botocore.config import Config

    account = Account("", {"access_key_id": key, "secret_access_key": secret, "region": region})
    session, client = _parameters(account, SEND_SECONDS)
    client["config"] = Config(**client["config"])
    return boto3.session.Session(**session).client("sesv2", **client)


def _refusal(error: BaseException) -> NotSent:
    """The failure for a refusal of SES: by the HTTP status of its answer, else nobody answered."""
    told = getattr(error, "response", None) or {}
    status = told.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if not status:
        return NotSent("channel.failed", f"Amazon SES could not be asked: {_words(error)}", is_permanent=False)
    code, words = told.get("Error", {}).get("Code", ""), told.get("Error", {}).get("Message", "")
    if code in ("SendingPausedException", "AccountSuspendedException", "MailFromDomainNotVerifiedException"):
        return NotSent("channel.failed", f"Amazon SES does not let this account send: {words}", is_permanent=False)
    return refused("Amazon SES", status, f"{code} {words}")


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
