"""Where what comes in by a connection belongs: several sources may use one."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from accounts.models import Source
from conversations.models import Conversation, Message
from leads.models import Lead
from messaging.models import ChannelConnection


def source_of(connection: ChannelConnection, *, phone: str = "", email: str = "") -> Source:
    """The source that last wrote to this address by this connection, else the connection's home."""
    if connection.is_built_in or not (phone or email):
        return connection.source
    leads = Lead.objects.filter(organization=connection.organization_id)
    leads = leads.filter(phone_e164=phone) if phone else leads.with_email(email)
    # By way of the conversations, which have an index for leads: there may be millions of messages.
    conversations = Conversation.objects.filter(lead__in=leads.values("pk"))
    written = Message.objects.filter(
        connection=connection, conversation__in=conversations.values("pk"), direction=Message.Direction.OUTBOUND
    )
    last = written.order_by("-id").select_related("source").first()
    return last.source if last and not last.source.is_archived else connection.source


def messages_by(connection: ChannelConnection) -> QuerySet[Message]:
    """The messages that something that comes in by a connection may be about."""
    rows = Message.objects.filter(organization=connection.organization_id)
    return rows.filter(Q(connection=connection) | Q(source=connection.source_id))
