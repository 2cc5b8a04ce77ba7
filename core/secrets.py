"""Keys and secrets: how they look, what of them is kept, and how it is hidden."""

from __future__ import annotations

import base64
import hashlib
import secrets
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    TextField = models.TextField["Secret", "Secret"]
else:
    TextField = models.TextField

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH = 32  # 62 ** 32 is more than 190 bits
CHECKSUM_LENGTH = 6
PREFIXES = ("lwr_", "lws_", "lwa_", "lwd_")
KEY_LENGTH = 4 + RANDOM_LENGTH + CHECKSUM_LENGTH
LAST_FOUR = 4
PREFIX_SHOWN = 8


def _checksum(text: str) -> str:
    """Six base-62 digits of a CRC-32, as GitHub's tokens end in, so that a mistyped key needs no look-up."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits


def make_key(prefix: str) -> str:
    """Return a new key: prefix, random part, checksum."""
    body = prefix + "".join(secrets.choice(BASE62) for _ in range(RANDOM_LENGTH))
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """True when `key` could be one of ours: known prefix, right length, right checksum."""
    return (
        len(key) == KEY_LENGTH
        and key.isascii()
        and key.startswith(PREFIXES)
        and _checksum(key[:-CHECKSUM_LENGTH]) == key[-CHECKSUM_LENGTH:]
    )


def digest(key: str) -> bytes:
    """SHA-256 of a key. Keys are random, so a slow password hash would only slow us."""
    return hashlib.sha256(key.encode()).digest()


def make_header_secret() -> str:
    """Return a new webhook secret key, the value of X-Secret-Key."""
    return make_key("lwk_")


def make_signing_secret() -> str:
    """Return a new signing secret of Standard Webhooks: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def make_private_key() -> str:
    """Return a new private key for `v1a` signatures: `whsk_` and the 32 bytes of an Ed25519 seed in base64."""
    return "whsk_" + base64.b64encode(secrets.token_bytes(32)).decode()


MASK = "••••••"  # in place of what is not shown


class Unreadable(Exception):
    """A secret cannot be decrypted with the keys that this installation has."""


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def fernet() -> MultiFernet:
    return _fernet(tuple(settings.LEADWIRE_ENCRYPTION_KEYS))


class Secret:
    """An encrypted text that shows itself only when asked by name."""

    __slots__ = ("token",)

    def __init__(self, token: str) -> None:
        self.token = token

    @classmethod
    def of(cls, text: str) -> Secret:
        return cls(fernet().encrypt(text.encode()).decode())

    def reveal(self) -> str:
        """Return the text. Raise Unreadable when none of LEADWIRE_ENCRYPTION_KEYS made it."""
        try:
            return fernet().decrypt(self.token.encode()).decode()
        except InvalidToken as error:
            raise Unreadable("None of LEADWIRE_ENCRYPTION_KEYS can read this secret.") from error

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.token == self.token

    def __hash__(self) -> int:
        return hash(self.token)


class SecretField(TextField):
    """A column that holds ciphertext and is read as a `Secret`."""

    def from_db_value(self, value: str | None, *_: object) -> Secret | None:
        return None if value is None else Secret(value)

    def get_prep_value(self, value: Secret | None) -> str | None:
        if value is not None and not isinstance(value, Secret):
            raise TypeError("Give a Secret, so that no plain text ends in this column by mistake.")
        return value.token if value else None

    def to_python(self, value: Any) -> Any:
        return value

    def value_to_string(self, obj: models.Model) -> str:
        return "…"


if TYPE_CHECKING:

    class OptionalSecretField(models.TextField["Secret | None", "Secret | None"]):
        pass
else:
    OptionalSecretField = SecretField  # the same column, which may be empty
