"""The people of the team who answer a conversation."""

from __future__ import annotations

from accounts.models import Membership, User
from accounts.rights import Right
from conversations.models import Conversation


def team_of(conversation: Conversation) -> list[User]:
    """Return who may answer this conversation, by name. The conversation has its source loaded."""
    source = conversation.source
    members = Membership.objects.active().filter(organization=conversation.organization_id).with_right(Right.ANSWER)
    return members.near(key for key in (source.pk, source.parent_id) if key).people()
