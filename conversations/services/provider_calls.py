"""What a provider's call brings: messages of leads, and what became of ours."""

from __future__ import annotations

import mimetypes
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from conversations.models import Conversation, Message
from conversations.services.arrivals import InboundContent, arrive
from conversations.services.attachments import FileReceived
from conversations.services.consent import block, obey_stop_words
from conversations.services.delivery_reports import apply_report
from conversations.services.events import publish_conversation_event
from conversations.services.origins import source_of
from conversations.services.sending import mark_sent
from conversations.services.states import advance
from core.ids import decode
from core.mime.text import clean
from leads.models import Lead, OptOut
from leads.services import Details, identify_by_channel
from messaging.accounts import account_of, account_row
from messaging.call_parts import (
    InboundEmail,
    InboundFile,
    InboundMessage,
    MailReport,
    OptedOut,
    Part,
    Progress,
    ProviderCall,
    StatusUpdate,
)
from messaging.email.incoming import keep
from messaging.failures import NotNow, NotSent, NotUnderstood
from messaging.files.kinds import UNKNOWN, safe_name
from messaging.models import ChannelConnection, Dispatch, InboundCall
from messaging.registry import PROVIDERS
from webhooks.event_types import EventType

DETAIL_MAX = 300  # characters
EMPTY, EMPTY_WITH_FILES = "(empty message)", "(no text)"
TITLE_SHOWN = 80  # characters of a first message
EVENTS = {
    Progress.DELIVERED: EventType.MESSAGE_DELIVERED,
    Progress.FAILED: EventType.MESSAGE_FAILED,
}


def read_call(call_id: UUID) -> None:
    """Do what a kept call says. Done twice, it changes nothing the second time."""
    call = InboundCall.objects.filter(pk=call_id, outcome=InboundCall.Outcome.WAITING).first()
    if call is None:
        return
    connection = ChannelConnection.objects.select_related("source").get(pk=call.connection_id)
    try:
        told = ProviderCall(call.url, bytes(call.body), content_type=call.content_type)
        parts = list(PROVIDERS[connection.provider].parse(account_of(connection), told))
    except NotNow as error:
        InboundCall.objects.filter(pk=call.pk).update(detail=str(error)[:DETAIL_MAX])
        _tell(connection, str(error))
        raise
    except (NotUnderstood, NotSent) as error:
        _tell(connection, str(error))
        return _finish(call, InboundCall.Outcome.UNREADABLE, set(), str(error))
    if mails := [part for part in parts if isinstance(part, InboundEmail)]:
        return _keep_mails(call, connection, mails)
    leads = {lead for part in parts if (own := _own(connection, part)) and (lead := _apply(own, part))}
    outcome = InboundCall.Outcome.APPLIED if leads else InboundCall.Outcome.IGNORED
    _finish(call, outcome, leads, "" if leads or not parts else "It names a message that is not here.")


def _tell(connection: ChannelConnection, detail: str) -> None:
    """Say on the connection's page what could not be read, where that may have been a mail of somebody."""
    if PROVIDERS[connection.provider].takes_mails:
        result = {"ok": False, "title": "A call could not be read.", "detail": detail, "at": timezone.now().isoformat()}
        ChannelConnection.objects.filter(pk=connection.pk).update(last_check=result)


@transaction.atomic
def _keep_mails(call: InboundCall, connection: ChannelConnection, mails: list[InboundEmail]) -> None:
    """Mails are kept as those that come by SMTP, whole, and read by the same job. The call itself has nothing more."""
    for mail in mails:
        to = mail.envelope_to or connection.own_address
        keep(connection=connection, envelope_from=mail.envelope_from, envelope_to=to, raw=mail.raw)
    call.body = b""
    call.save(update_fields=["body"])
    _finish(call, InboundCall.Outcome.APPLIED, set(), "")


def _finish(call: InboundCall, outcome: InboundCall.Outcome, leads: set[UUID], detail: str) -> None:
    call.outcome, call.lead_ids, call.detail = outcome, sorted(leads), detail[:DETAIL_MAX]
    call.save(update_fields=["outcome", "lead_ids", "detail"])


def _own(connection: ChannelConnection, part: Part) -> ChannelConnection | None:
    """The connection that a part is for: one call may bring for several numbers of the organization."""
    setting = PROVIDERS[connection.provider].account_setting
    if not setting or not isinstance(part, InboundMessage | StatusUpdate):
        return connection
    if getattr(account_row(connection), setting) == part.account:
        return connection
    rows = ChannelConnection.objects.active().filter(
        organization=connection.organization_id, **{f"{connection.provider}__{setting}": part.account}
    )
    return rows.select_related("source").order_by("pk").first()


@transaction.atomic
def _apply(connection: ChannelConnection, part: Part) -> UUID | None:
    """Apply one part of a call, in a transaction of its own. Return the lead that it is about."""
    if isinstance(part, InboundMessage):
        return _take_words(connection, part)
    message = None if isinstance(part, InboundEmail) else _message_of(connection, part)
    if message is None:
        return None
    conversation = Conversation.objects.locked(message.conversation_id)
    message.refresh_from_db()
    if isinstance(part, StatusUpdate):
        _take_status(message, conversation, part)
    elif isinstance(part, MailReport):
        _record_that_it_went_out(message, conversation, part.id)
        apply_report(message, conversation, part.report)
    else:
        block(message, conversation, OptOut.Reason.UNSUBSCRIBE)
    return message.lead_id


def _take_words(connection: ChannelConnection, inbound: InboundMessage) -> UUID:
    text = clean(inbound.text).strip() or (EMPTY_WITH_FILES if inbound.files else EMPTY)
    first, _, last = clean(inbound.sender_name).strip().partition(" ")
    source = source_of(connection, phone=inbound.sender)
    # Locks the address: the same message, brought twice at once, is seen by the second one.
    who = identify_by_channel(
        source=source, details=Details(first_name=first[:100], last_name=last[:100], phone=inbound.sender)
    )
    known = Message.objects.filter(connection=connection, repeat_key=inbound.id, direction=Message.Direction.INBOUND)
    if before := known.first():
        return before.lead_id
    words = InboundContent(
        content=text,
        title=text if len(text) <= TITLE_SHOWN else f"{text[:TITLE_SHOWN]}…",
        connection=connection,
        external_id=inbound.id,
        repeat_key=inbound.id,
        said_at=inbound.said_at,
        files=[_file(file) for file in inbound.files],
    )
    arrived = arrive(source=source, who=who, words=words, into=_answered(connection, who.lead, inbound.answers))
    obey_stop_words(arrived.lead, arrived.conversation, text, connection.kind)
    return arrived.lead.pk


def _file(file: InboundFile) -> FileReceived:
    """A file of which only the provider knows more: its bytes are fetched by a job."""
    ending = mimetypes.guess_extension(file.content_type) or ""
    name = safe_name(clean(file.name), f"file{ending}")
    return FileReceived(name, clean(file.content_type) or UNKNOWN, media_id=file.media_id)


def _answered(connection: ChannelConnection, lead: Lead, provider_id: str) -> Conversation | None:
    """The lead's conversation with the message that this one answers, where the provider says which."""
    if not provider_id:
        return None
    rows = Message.objects.filter(connection=connection, external_id=provider_id, lead=lead)
    answered = rows.select_related("conversation").first()
    return answered.conversation if answered else None


def _record_that_it_went_out(message: Message, conversation: Conversation, provider_id: str) -> None:
    """What comes before our own record of the send is that record."""
    if message.status == Message.Status.SENDING:
        Dispatch.objects.filter(pk=message.pk).delete()
        mark_sent(message, conversation, provider_id)


def _take_status(message: Message, conversation: Conversation, update: StatusUpdate) -> None:
    """Move a message of ours forward."""
    failure = update.failure
    if update.progress is Progress.FAILED:
        Dispatch.objects.filter(pk=message.pk).delete()
    else:
        _record_that_it_went_out(message, conversation, update.id)
    is_new = advance(
        message,
        Message.Status(update.progress.value),
        code=failure.code if failure else "",
        detail=failure.detail if failure else "",
        provider_at=update.reported_at,
    )
    if not is_new:
        return
    if event_type := EVENTS.get(update.progress):
        publish_conversation_event(event_type, conversation, message)
    if failure and failure.has_opted_out:
        block(message, conversation, OptOut.Reason.STOP)


def _message_of(connection: ChannelConnection, update: StatusUpdate | MailReport | OptedOut) -> Message | None:
    """The message that a report is about: by our own id, which the provider repeats, else by the provider's."""
    rows = Message.objects.select_related("lead", "connection").filter(
        connection=connection, direction=Message.Direction.OUTBOUND
    )
    own = decode("msg", update.reference)
    by_id = rows.filter(pk=own).first() if own else None
    if by_id and by_id.external_id in ("", update.id):
        return by_id
    return rows.filter(external_id=update.id).exclude(external_id="").first()
