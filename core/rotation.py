"""Encrypt all stored secrets again with the newest key, so that older keys can be removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken
from django.apps import apps
from django.db import models, transaction

from core.secrets import Secret, SecretField, fernet


@dataclass
class Rotated:
    rotated: int = 0
    unreadable: int = 0

    def again(self, token: str) -> str:
        """Return a ciphertext under the newest key; one that cannot be read is returned as it is."""
        try:
            rotated = fernet().rotate(token.encode()).decode()
        except InvalidToken:
            self.unreadable += 1
            return token
        self.rotated += 1
        return rotated


def rotate_all() -> Rotated:
    """Rotate every secret of every model. Safe to run again, and beside everything else: each row alone."""
    done = Rotated()
    for model, names in _secret_fields():
        for pk in list(model._default_manager.values_list("pk", flat=True)):
            _rotate_row(model, pk, names, done)
    for pk in list(Authenticator.objects.values_list("pk", flat=True)):
        _rotate_factor(pk, done)
    return done


def _secret_fields() -> Iterator[tuple[type[models.Model], list[str]]]:
    for model in apps.get_models():
        names = [field.name for field in model._meta.concrete_fields if isinstance(field, SecretField)]
        if names:
            yield model, names


@transaction.atomic
def _rotate_row(model: type[models.Model], pk: Any, names: list[str], done: Rotated) -> None:
    row = model._default_manager.select_for_update().filter(pk=pk).first()
    if row is None:
        return
    for name in names:
        secret: Secret | None = getattr(row, name)
        if secret is not None:
            setattr(row, name, Secret(done.again(secret.token)))
    row.save(update_fields=names)


@transaction.atomic
def _rotate_factor(pk: Any, done: Rotated) -> None:
    """Second factors keep their secret under a name that differs by kind; public parts are left alone."""
    factor = Authenticator.objects.select_for_update().filter(pk=pk).first()
    if factor is None:
        return
    for name in ("secret", "seed"):
        if isinstance(factor.data.get(name), str):
            factor.data[name] = done.again(factor.data[name])
    factor.save(update_fields=["data"])
