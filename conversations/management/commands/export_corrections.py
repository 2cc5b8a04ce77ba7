"""What people corrected, as lines that `evaluate_classifier` reads.

manage.py export_corrections > corrections.jsonl
"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand

from conversations.models import Classification


class Command(BaseCommand):
    help = "Print each reply that a person corrected: its text, the right label, and what a rule had said."

    def handle(self, *args: Any, **options: Any) -> None:
        by_person = Classification.objects.filter(by=Classification.By.PERSON, reply__lead__erased_at=None)
        rows = by_person.select_related("reply__message").order_by("reply_id", "-id").distinct("reply_id")
        for correction in rows.iterator(chunk_size=500):
            first = correction.reply.classifications.exclude(by=Classification.By.PERSON).first()
            line = {
                "text": correction.reply.message.content,
                "label": correction.label,
                "said": first.label if first else None,
            }
            self.stdout.write(json.dumps(line, ensure_ascii=False))
