"""The environment, read once. Every name may also be given as NAME_FILE, the path of a file that holds the value."""

import ipaddress
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.FileAwareEnv()


def networks(name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Return the networks of a comma-separated variable; refuse to start on one that is not a network."""
    try:
        return [ipaddress.ip_network(text.strip()) for text in env.list(name, default=[]) if text.strip()]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from error


def at_least(value: int, least: int, name: str) -> int:
    """Refuse to start on a number that is too small to work."""
    if value < least:
        raise ImproperlyConfigured(f"{name} is at least {least}.")
    return value


def required(name: str) -> str:
    """Return a variable that has no safe default."""
    value = str(env.str(name, default=""))
    if not value:
        raise ImproperlyConfigured(f"Set {name} (or {name}_FILE). `make run` makes one under .data/ by itself.")
    return value
