"""Sources: made whole, with their cards and channels."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Organization, Source
from core.problems import Refusal
from integrations.registry import card_kinds
from messaging.services import add_connections

EDITABLE = ("name", "external_id", "time_zone", "form_origins", "answers_take_over")


@transaction.atomic
def create_source(
    *,
    organization: Organization,
    actor: Actor,
    name: str,
    parent: Source | None = None,
    external_id: str = "",
    time_zone: str = "UTC",
    form_origins: list[str] | None = None,
    answers_take_over: bool = False,
) -> Source:
    """Make a business, or a location of `parent`, with its cards (off) and its two channels."""
    source = Source.objects.create(
        organization=organization,
        kind=Source.Kind.LOCATION if parent else Source.Kind.BUSINESS,
        parent=parent,
        name=name,
        external_id=external_id,
        time_zone=time_zone,
        form_origins=form_origins or [],
        answers_take_over=answers_take_over,
    )
    furnish(source)
    actor.record("source.create", organization=organization, target=source, source_id=source.pk, after=_state(source))
    return source


def furnish(source: Source) -> None:
    """Give a new source what every source has: its cards, a form and a mail address."""
    for kind in card_kinds().values():
        kind.add_to(source)
    add_connections(source)


@transaction.atomic
def update_source(*, source: Source, actor: Actor, **values: object) -> Source:
    """Change what a person may change of a source."""
    source = Source.objects.select_for_update().get(pk=source.pk)
    before = _state(source)
    for name, value in values.items():
        setattr(source, name, value)
    source.save(update_fields=list(values))
    actor.record(
        "source.update",
        organization=source.organization_id,
        target=source,
        source_id=source.pk,
        before=before,
        after=_state(source),
    )
    return source


@transaction.atomic
def archive_source(*, source: Source, actor: Actor) -> None:
    """Retire a source and its locations: nothing arrives, nothing is delivered, no key opens it. Nothing is deleted."""
    now = timezone.now()
    for place in Source.objects.select_for_update().filter(pk=source.pk) | source.locations.filter(archived_at=None):
        if place.is_archived:
            continue
        place.archived_at, place.archived_by = now, actor.user
        place.save(update_fields=["archived_at", "archived_by"])
        for kind in card_kinds().values():
            kind.hold(getattr(place, kind.accessor))
        actor.record("source.archive", organization=place.organization_id, target=place, source_id=place.pk)


@transaction.atomic
def restore_source(*, source: Source, actor: Actor) -> None:
    """Take a source back into use. Its cards stay as they were; raise Refusal while its business is archived."""
    source = Source.objects.select_for_update(of=("self",)).select_related("parent").get(pk=source.pk)
    if source.parent and source.parent.is_archived:
        raise Refusal(409, "source.parentArchived", f"Restore {source.parent} first.")
    source.archived_at = source.archived_by = None
    source.save(update_fields=["archived_at", "archived_by"])
    for kind in card_kinds().values():
        card = getattr(source, kind.accessor)
        if card.is_enabled:
            kind.release(card)
    actor.record("source.restore", organization=source.organization_id, target=source, source_id=source.pk)


def _state(source: Source) -> dict[str, object]:
    return {name: getattr(source, name) for name in EDITABLE}
