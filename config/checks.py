"""Refuse settings that would only fail later, and in production those that are unsafe."""

import ipaddress
import sys
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


@register()
def encryption_keys(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    try:
        for key in settings.LEADWIRE_ENCRYPTION_KEYS:
            Fernet(key)
    except ValueError:
        return [
            Error(
                "LEADWIRE_ENCRYPTION_KEYS has a key that is not a Fernet key.",
                hint="A key is 32 random bytes in URL-safe base64: Fernet.generate_key() makes one.",
                id="leadwire.E001",
            )
        ]
    return []


SECRET_KEY_LEAST = 32  # characters


@register(Tags.security, deploy=True)
def safe_in_production(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """What nobody should run with where others can reach it. LEADWIRE_ACCEPT takes one by its id."""
    return list(_unsafe())


def _unsafe() -> Iterator[CheckMessage]:
    if len(settings.SECRET_KEY) < SECRET_KEY_LEAST or len(set(settings.SECRET_KEY)) < 8:
        hint = "python -c 'import secrets; print(secrets.token_urlsafe(50))' makes one."
        yield Error(f"SECRET_KEY has fewer than {SECRET_KEY_LEAST} random characters.", hint=hint, id="leadwire.E002")
    if not settings.LEADWIRE_ENCRYPTION_KEYS:
        yield Error("LEADWIRE_ENCRYPTION_KEYS is empty: keys could not be stored.", id="leadwire.E003")
    if settings.DEBUG:
        yield Error("DEBUG is on: error pages show the inside.", id="leadwire.E004")
    if not settings.BASE_URL.startswith("https://"):
        hint = "Put a server with a certificate in front."
        yield Error("BASE_URL is not https: logins travel in the clear.", hint=hint, id="leadwire.E005")
    if "*" in settings.ALLOWED_HOSTS:
        yield Error("ALLOWED_HOSTS takes any host.", hint="Name the host of BASE_URL.", id="leadwire.E006")
    if settings.LEADWIRE_ALLOW_HTTP_WEBHOOKS:
        yield Error("LEADWIRE_ALLOW_HTTP_WEBHOOKS is on: leads travel in the clear.", id="leadwire.E007")
    if any(network.is_loopback for network in settings.LEADWIRE_ALLOW_NETWORKS):
        yield Error("LEADWIRE_ALLOW_NETWORKS has this machine: tenants could reach it.", id="leadwire.E008")
    if settings.DEMO_MAIL_DIR:
        yield Error("DEMO_MAIL_DIR is set: the demo shows everybody's mails.", id="leadwire.E009")


def is_production() -> bool:
    """True when others than this machine are meant to use it."""
    host = urlsplit(settings.BASE_URL).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost" and not host.endswith(".localhost")


def refuse_unsafe() -> None:
    """End this process, with what is wrong, where it would be unsafe for others to use it."""
    problems = (
        [problem for problem in _unsafe() if problem.id not in settings.SILENCED_SYSTEM_CHECKS]
        if is_production()
        else []
    )
    if problems:
        lines = [f"  {problem.id}: {problem.msg} {problem.hint or ''}".rstrip() for problem in problems]
        sys.exit("Leadwire does not start with unsafe settings (docs/settings.md):\n" + "\n".join(lines))
