"""SMTP with the patience that RFC 5321, 4.5.3.2 asks of a client.

A server may take minutes for a step: it looks into lists, scans, waits for a store. A client that hangs up too early
sends the same mail again, and the lead reads it twice. Only workers may wait that long; pages use Django's own backend.
"""

from __future__ import annotations

import base64
import re
import smtplib
import ssl
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend
from django.core.mail.message import sanitize_address

from core.dialling import dial, is_on_this_machine, tls

# Seconds, each from the RFC's section of this number.
GREETING_SECONDS = 300  # 4.5.3.2.1
MAIL_SECONDS = 300  # 4.5.3.2.2
RCPT_SECONDS = 300  # 4.5.3.2.3
DATA_SECONDS = 120  # 4.5.3.2.4
BLOCK_SECONDS = 180  # 4.5.3.2.5
FINAL_DOT_SECONDS = 600  # 4.5.3.2.6
CONNECT_SECONDS = 10  # ours
GOODBYE_SECONDS = 5  # ours: nothing depends on it
BLOCK_BYTES = 64 * 1024

_LEADING_DOT = re.compile(rb"(?m)^\.")
DJANGOS = "django.core.mail.backends.smtp.EmailBackend"


class NotConfirmed(smtplib.SMTPServerDisconnected):
    """The final dot went out and no answer came: the server may have taken the mail."""


class Patient(smtplib.SMTP):
    """A client whose time-out is that of the step it is in. Connecting has the constructor's."""

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        connected = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        connected.settimeout(GREETING_SECONDS)
        return connected

    def _wait(self, seconds: float) -> None:
        if self.sock:
            self.sock.settimeout(seconds)

    def mail(self, sender: str, options: Sequence[str] = ()) -> Any:
        self._wait(MAIL_SECONDS)
        return super().mail(sender, options)

    def rcpt(self, recip: str, options: Sequence[str] = ()) -> Any:
        self._wait(RCPT_SECONDS)
        return super().rcpt(recip, options)

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Send the mail and return the answer to its final dot. Raise NotConfirmed when none came.

        `msg` has CRLF line ends. As the library does it, but block by block: its one time-out is for the whole mail.
        """
        self._wait(DATA_SECONDS)
        self.putcmd("data")
        code, text = self.getreply()
        if code != 354:
            raise smtplib.SMTPDataError(code, text)
        body = _LEADING_DOT.sub(b"..", msg if isinstance(msg, bytes) else msg.encode("ascii"))
        self._wait(BLOCK_SECONDS)
        for start in range(0, len(body), BLOCK_BYTES):
            self.send(body[start : start + BLOCK_BYTES])
        try:
            self.send(b".\r\n" if body.endswith(b"\r\n") else b"\r\n.\r\n")
            self._wait(FINAL_DOT_SECONDS)
            return self.getreply()
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            self.close()
            raise NotConfirmed("The mail server took the mail and did not confirm it.") from error

    def quit(self) -> Any:
        self._wait(GOODBYE_SECONDS)
        return super().quit()


class PatientOverTLS(Patient, smtplib.SMTP_SSL):
    """The same where TLS comes first (RFC 8314, 3.3)."""


class _Guarded(smtplib.SMTP):
    """Dials public addresses only."""

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        return dial(host, port, timeout)


class _GuardedPatient(Patient, _Guarded):
    pass


class _GuardedPatientOverTLS(PatientOverTLS, _Guarded):
    pass


class _GuardedOverTLS(smtplib.SMTP_SSL, _Guarded):
    pass


class PatientBackend(EmailBackend):
    """Django's backend with this client."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return PatientOverTLS if self.use_ssl else Patient

    def _send(self, email_message: EmailMessage) -> bool:
        """Send one mail. Django would encode a local part beyond ASCII, and so write to another address (RFC 6531).

        Raise SMTPNotSupportedError when the server does not take such an address.
        """
        recipients = email_message.recipients()
        if all(address.rpartition("@")[0].isascii() for address in recipients):
            return bool(super()._send(email_message))  # type: ignore[misc]
        client: Any = self.connection
        client.ehlo_or_helo_if_needed()
        if not client.has_extn("smtputf8"):
            raise smtplib.SMTPNotSupportedError("The mail server takes no address with letters beyond ASCII.")
        message: Any = email_message.message()
        sender = sanitize_address(email_message.from_email, "utf-8")
        client.sendmail(sender, recipients, message.as_bytes(linesep="\r\n"), mail_options=["SMTPUTF8"])
        return True

    def is_alive(self) -> bool:
        """Ask before it costs an attempt: servers hang up on idle clients."""
        client: Any = self.connection
        try:
            client._wait(GOODBYE_SECONDS)
            return bool(client.noop()[0] == 250)
        except (smtplib.SMTPException, OSError):
            return False

    def hang_up(self) -> None:
        """Close without waiting for anybody."""
        try:
            self.close()
        except (smtplib.SMTPException, OSError, ssl.SSLError):
            self.connection = None


class AccountBackend(PatientBackend):
    """The mail server of an account that somebody connected: dialled through the guard, and only over TLS.

    A server on this machine may do without. `is_patient`: False where a person waits for the answer.
    """

    def __init__(self, *, is_patient: bool = True, token: str = "", **more: Any) -> None:
        super().__init__(**more)
        self.is_patient, self.token = is_patient, token

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        if self.is_patient:
            return _GuardedPatientOverTLS if self.use_ssl else _GuardedPatient
        return _GuardedOverTLS if self.use_ssl else _Guarded

    def open(self) -> bool:
        """Connect and log in. Raise SMTPException or OSError."""
        if self.connection:
            return False
        more: dict[str, Any] = {"context": tls()} if self.use_ssl else {}
        client: Any = self.connection_class(self.host, self.port, timeout=self.timeout or CONNECT_SECONDS, **more)
        self.connection = client
        if not self.use_ssl:
            client.ehlo_or_helo_if_needed()
            if client.has_extn("starttls"):
                client.starttls(context=tls())
            elif not is_on_this_machine(client.sock):
                raise smtplib.SMTPException("The mail server offers no TLS, so the password would be readable.")
        if self.token:
            _log_in_with_token(client, self.username, self.token)
        elif self.username:
            _log_in(client, self.username, self.password)
        return True


def _log_in(client: smtplib.SMTP, username: str, password: str) -> None:
    """Log in. Raise SMTPException. The library takes ASCII only, where PLAIN takes any password (RFC 4616)."""
    client.ehlo_or_helo_if_needed()
    if not client.has_extn("auth"):
        raise smtplib.SMTPException("The mail server lets nobody log in here. Check its name and port.")
    if (username + password).isascii():
        client.login(username, password)
        return
    token = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
    code, answer = client.docmd("AUTH", f"PLAIN {token}")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, answer)


def _log_in_with_token(client: smtplib.SMTP, username: str, token: str) -> None:
    """Log in by OAuth 2.0: https://developers.google.com/workspace/gmail/imap/xoauth2-protocol"""
    client.ehlo_or_helo_if_needed()
    words = base64.b64encode(f"user={username}\1auth=Bearer {token}\1\1".encode()).decode()
    code, answer = client.docmd("AUTH", f"XOAUTH2 {words}")
    if code == 334:  # the server explains its refusal, and waits
        code, answer = client.docmd("")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, answer)


def patient_connection() -> BaseEmailBackend:
    """Return the mail connection of the settings, patient where it is SMTP. For workers."""
    return PatientBackend() if settings.EMAIL_BACKEND == DJANGOS else get_connection(fail_silently=False)


def reply_of(error: Exception) -> tuple[int, str]:
    """Return the server's reply code and words (RFC 5321, 4.2); code 0 and our own words when it said nothing."""
    said: bytes | str
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, said = error.smtp_code, error.smtp_error
    else:
        return 0, str(error)
    return int(code), said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
