"""manage.py rotate_encryption: encrypt all stored secrets again with the newest key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from core.rotation import rotate_all


class Command(BaseCommand):
    help = "Encrypt all secrets with the first of LEADWIRE_ENCRYPTION_KEYS; then the others can be taken out."

    def handle(self, *args: Any, **options: Any) -> None:
        done = rotate_all()
        self.stdout.write(f"{done.rotated} secrets are encrypted with the newest key.")
        if done.unreadable:
            self.stderr.write(
                f"{done.unreadable} cannot be read with any of LEADWIRE_ENCRYPTION_KEYS and were left as they are:"
                " regenerate those keys, or put the lost encryption key back."
            )
            raise SystemExit(1)
