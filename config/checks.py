"""Refuse settings that would only fail later."""

from collections.abc import Sequence

from cryptography.fernet import Fernet
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register


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
