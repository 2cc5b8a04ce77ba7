"""Roles, and the rights that each includes."""

from __future__ import annotations

from django.db import models


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    MANAGER = "manager", "Manager"
    AGENT = "agent", "Agent"
    VIEWER = "viewer", "Viewer"


class Right(models.TextChoices):
    """The rows of the table "Who may do what"."""

    READ = "read", "Read conversations"
    ANSWER = "answer", "Answer, close, assign, correct"
    CONFIGURE = "configure", "Sources, cards, channels, and tokens within their own sources"
    OWN = "own", "Members, organization, and tokens without a source limit"


ROLES_WITH: dict[Right, frozenset[str]] = {
    Right.READ: frozenset(Role.values),
    Right.ANSWER: frozenset({Role.OWNER, Role.MANAGER, Role.AGENT}),
    Right.CONFIGURE: frozenset({Role.OWNER, Role.MANAGER}),
    Right.OWN: frozenset({Role.OWNER}),
}
