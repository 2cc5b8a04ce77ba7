"""What is particular to the calendar's card."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Source
from integrations.kinds import ActivityRow, CardKind, Health, KeyShown, NewSecrets
from tests.integrations.third_card.models import Calendar, CalendarKey


class CalendarKind(CardKind[Calendar]):
    model = Calendar
    template = "third_card/_card.html"
    icon = "clock"
    check_label = "Ask the calendar"
    summary = "Offers appointments."
    regenerate_label = "Regenerate key…"
    regenerate_question = "Create a new key for the calendar?"
    key_label = "Key"
    inherited = "key"
    removed = "key is removed for good"
    disconnected = "No appointment is offered any more."

    def add_to(self, source: Source) -> None:
        Calendar.objects.create(source=source)

    def make_credential(self, card: Calendar, actor: Actor, overlap: timedelta | None) -> NewSecrets:
        card.keys.all().delete()
        return NewSecrets({"Key": CalendarKey.objects.create(card=card, text="cal_1").text})

    def clear_credential(self, card: Calendar) -> str:
        card.keys.all().delete()
        return "a key"

    def end_overlap(self, card: Calendar) -> None:
        """There is none."""

    def check(self, card: Calendar, actor: Actor) -> None:
        card.record_check(ok=True, title="Asked.", detail="The calendar answers.")

    def keys(self, card: Calendar) -> list[KeyShown]:
        return [KeyShown("Key", "cal_…", timezone.now(), "Dana") for _ in card.keys.all()]

    def health(self, card: Calendar) -> Health:
        return Health("none", "No traffic yet")

    def activity(self, card: Calendar) -> list[ActivityRow]:
        return []


KIND = CalendarKind()
