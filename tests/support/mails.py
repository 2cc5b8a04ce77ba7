"""Mails as leads and mail servers write them, and where they end up."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

from conversations.models import Message
from messaging.models import InboundMail


def reply_address(conversation: Any) -> str:
    """Where the lead's mail program sends an answer to a mail of this conversation."""
    address: str = conversation.source.connections.get(provider="installation").address_with(conversation.reply_token)
    return address


def message_of(mail: InboundMail) -> Any:
    """The message that a mail became, repeats or tells of; None without one."""

    return Message.objects.filter(pk=mail.message_id).first() if mail.message_id else None


def mail(text: str = "Hello, my tap leaks.", sender: str = "Ava Brooks <ava@example.net>", **headers: str) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"] = sender, headers.pop("Subject", "Leaking tap")
    message["Message-ID"] = headers.pop("Message_ID", "<first@example.net>")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


def report(public_id: str, action: str, earlier: str = "msg_" + "0" * 26) -> bytes:
    """A delivery report (RFC 3464) on a mail that answered an earlier one of ours."""
    return f"""From: MAILER-DAEMON@mx.example.net
Message-ID: <{action}@mx.example.net>
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Your mail to ava@example.net: {action}.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; ava@example.net
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 user unknown
--b
Content-Type: text/rfc822-headers

Message-ID: <{public_id}@mail.localhost>
References: <{earlier}@mail.localhost>
--b--
""".replace("\n", "\r\n").encode()
