"""What hears of events: a source's REST Webhook card, or an organization's subscription. Each has a lane of its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import models
from django.utils import timezone

from core.secrets import Secret

if TYPE_CHECKING:
    from accounts.models import User
    from outbox.models import Lane


CHECK_PATIENCE = timedelta(seconds=40)


class Endpoint:
    """The common side of both. Replays, health, warnings and the pages of deliveries know nothing else.

    Abstract, but models have a metaclass of their own that leaves no room for ABC's.
    """

    # Columns of the models, or constants of theirs.
    pk: Any
    lane: Lane
    lane_id: Any
    enabled_at: datetime | None
    last_check: Any
    event_types: Any
    needs_contact: Any
    only_new_leads: Any
    is_ordered: Any

    @property
    def title(self) -> str:
        """How people call it, in the middle of a sentence."""
        raise NotImplementedError

    @property
    def owning_organization_id(self) -> UUID:
        raise NotImplementedError

    @property
    def home_source_id(self) -> UUID | None:
        """The source that it belongs to; None when it belongs to the organization."""
        return None

    @property
    def endpoint_host(self) -> str:
        raise NotImplementedError

    @property
    def is_live(self) -> bool:
        """True while it can be sent to: it is connected, and its creator may have it."""
        raise NotImplementedError

    @property
    def page_url(self) -> str:
        raise NotImplementedError

    @property
    def replays_url(self) -> str:
        raise NotImplementedError

    def events_filter(self) -> models.Q:
        """The condition on events that come from where it listens."""
        raise NotImplementedError

    def signing_secrets(self) -> list[tuple[Secret, bool]]:
        """The secrets in force, each with whether it is an old one, the current one first."""
        raise NotImplementedError

    def may_configure(self, user: User) -> bool:
        """True if the person may switch it, test it and send events again."""
        raise NotImplementedError

    def may_see_all(self, user: User) -> bool:
        """True if the person may see its URL, its headers and the answers. Others see only the outcome."""
        return self.may_configure(user)

    @property
    def is_stopped(self) -> bool:
        return self.lane.stopped_at is not None

    @property
    def is_checking(self) -> bool:
        """True while the result of a test is still to come."""
        check = self.last_check or {}
        if "ok" in check or "delivery" not in check:
            return False
        return bool(check["at"] > (timezone.now() - CHECK_PATIENCE).isoformat())
