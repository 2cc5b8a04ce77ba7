"""Consent: block and allow addresses, import and export them as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from core.ids import rfc3339
from core.problems import Refusal
from leads.models import Lead, OptOut
from messaging.addresses import is_email, normalize_email, normalize_phone
from messaging.models import ChannelConnection

BY_PHONE = frozenset({ChannelConnection.Kind.SMS.value, ChannelConnection.Kind.WHATSAPP.value})
BLOCKABLE = [ChannelConnection.Kind.EMAIL, ChannelConnection.Kind.SMS, ChannelConnection.Kind.WHATSAPP]
COLUMNS = ("address", "channel", "reason", "since", "by")
ROWS_MAX = 10_000
DIGEST = "sha256:"


def opt_out(*, lead: Lead, channel: str, reason: OptOut.Reason, actor: Actor | None = None) -> OptOut | None:
    """Block a channel for the lead's address in the whole organization.

    Return the opt-out, or None when there is no such address or it is blocked already.
    """
    address = normalize_email(lead.email) if channel == ChannelConnection.Kind.EMAIL else lead.phone_e164
    if not address:
        return None
    new, is_new = _block(lead.organization_id, channel, address, reason, actor)
    if is_new and actor:
        _record_consent("lead.block", lead, channel, actor)
    return new if is_new else None


def _block(
    organization_id: UUID, channel: str, address: str, reason: OptOut.Reason, actor: Actor | None
) -> tuple[OptOut, bool]:
    return OptOut.objects.get_or_create(
        organization_id=organization_id,
        address=address,
        channel=channel,
        lifted_at=None,
        defaults={"reason": reason, "created_by": actor.user if actor else None},
    )


def lift_opt_out(*, lead: Lead, channel: str, actor: Actor | None = None, only: OptOut.Reason | None = None) -> None:
    """Allow a channel again. With `only`, just an opt-out of that reason: START lifts a STOP and nothing else."""
    rows = OptOut.objects.of(lead).filter(channel=channel)
    if only:
        rows = rows.filter(reason=only)
    lifted = rows.update(lifted_at=timezone.now())
    if lifted and actor:
        _record_consent("lead.unblock", lead, channel, actor)


def _record_consent(action: str, lead: Lead, channel: str, actor: Actor) -> None:
    """The lead's id alone: the audit log is kept for ever, and an erased lead's data may not live on in it."""
    after = {"channel": channel}
    actor.record(
        action, organization=lead.organization_id, source_id=lead.source_id, target=lead.public_id, after=after
    )


@dataclass(frozen=True)
class Blocked:
    """The result of an import. A problem is a row number and what is wrong with the row."""

    new: int
    known: int
    problems: list[tuple[int, str]]


def address_on(channel: str, text: str) -> str:
    """Return an address as it is compared. Raise Refusal `address.invalid` for what is none on this channel."""
    address = normalize_phone(text) if channel in BY_PHONE else normalize_email(text)
    if not address or (channel not in BY_PHONE and not is_email(address)):
        kind = "a phone number with its country code" if channel in BY_PHONE else "an email address"
        raise Refusal(400, "address.invalid", f"“{text[:80]}” is not {kind}.")
    return address


@transaction.atomic
def block_address(*, organization_id: UUID, channel: str, address: str, actor: Actor) -> bool:
    """Block an address, whether or not a lead has it. Return whether it was open. Raise Refusal `address.invalid`."""
    reason = OptOut.Reason.PERSON
    opt_out, is_new = _block(organization_id, channel, address_on(channel, address), reason, actor)
    if is_new:
        actor.record(
            "consent.block", organization=organization_id, target=opt_out.public_id, after={"channel": channel}
        )
    return is_new


@transaction.atomic
def lift(*, opt_out: OptOut, actor: Actor) -> None:
    """Allow what was blocked. Doing it twice changes nothing."""
    if OptOut.objects.in_force().filter(pk=opt_out.pk).update(lifted_at=timezone.now()):
        before = {"channel": opt_out.channel, "reason": opt_out.reason}
        actor.record("consent.lift", organization=opt_out.organization_id, target=opt_out.public_id, before=before)


@transaction.atomic
def import_csv(*, organization_id: UUID, text: str, actor: Actor) -> Blocked:
    """Block each address of a CSV with the column `address`, and `channel` where it is not email.

    Wrong rows are reported, and the others are blocked. Raise Refusal `consent.badTable` for what is no such table.
    """
    wanted: set[tuple[str, str]] = set()  # address, channel
    problems = []
    for number, row in enumerate(_read_csv(text), 2):
        channel = (row.get("channel") or ChannelConnection.Kind.EMAIL.value).strip().lower()
        try:
            if channel not in {kind.value for kind in BLOCKABLE}:
                raise Refusal(400, "address.invalid", f"“{channel[:40]}” is not a channel that can be blocked.")
            wanted.add((address_on(channel, (row["address"] or "").strip().removeprefix("'")), channel))
        except Refusal as refusal:
            problems.append((number, str(refusal)))
    rows = OptOut.objects.in_force().filter(organization=organization_id, address__in={row[0] for row in wanted})
    new = wanted - set(rows.values_list("address", "channel"))
    values = {"organization_id": organization_id, "reason": OptOut.Reason.PERSON, "created_by": actor.user}
    blocked = [OptOut(address=address, channel=channel, **values) for address, channel in sorted(new)]
    OptOut.objects.bulk_create(blocked, ignore_conflicts=True)
    if new:
        actor.record("consent.import", organization=organization_id, target="CSV", after={"blocked": len(new)})
    return Blocked(len(new), len(wanted) - len(new), problems)


def _read_csv(text: str) -> list[dict[str, str]]:
    try:
        rows = list(csv.DictReader(text.lstrip("\ufeff").splitlines()))
    except csv.Error as error:
        raise Refusal(400, "consent.badTable", f"The table cannot be read: {error}.") from error
    if not rows or "address" not in rows[0]:
        raise Refusal(400, "consent.badTable", "The first line names the columns, and one of them is “address”.")
    if len(rows) > ROWS_MAX:
        raise Refusal(400, "consent.badTable", f"The table has more than {ROWS_MAX:,} rows. Take them in parts.")
    return rows


def csv_rows(rows: Iterable[OptOut]) -> Iterator[list[str]]:
    """Yield the rows of the table, its head first. Of an erased lead only a digest is left, and that is left out."""
    yield list(COLUMNS)
    for row in rows:
        if not row.address.startswith(DIGEST):
            by = str(row.created_by or "")
            yield [row.address, row.channel, row.reason, rfc3339(row.created_at) or "", by]
