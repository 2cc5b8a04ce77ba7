"""A mail becomes a message: whose it is, where it belongs, and what it sets off."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.ids import decode
from conversations.mail.reading import Mail, read
from conversations.models import Conversation, InboundMail, Message
from conversations.services.arrivals import Words, arrive, publish_for
from integrations.event_types import EventType
from integrations.models import ChannelConnection, Job, Source
from integrations.outbox import hints
from leads.contact import normalize_email
from leads.models import Lead, OptOut
from leads.services import Details, Identified, identify_by_channel, lift_opt_out, opt_out

# One-word mails. Providers do the same for SMS; what reads like them in longer mails is another issue's.
LOOP_ANSWERS, LOOP_WINDOW = 20, timedelta(hours=1)  # by programs in one conversation
LOOP_REPEATS = 5  # mails with the same words
ADDRESS_MAX = 320  # characters: RFC 3696, errata 1690
STOP_WORDS = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out"})
START_WORDS = frozenset({"start", "unstop"})


class UnknownAddress(Exception):
    """Nobody here has this address."""


class StillSending(Exception):
    """A bounce came before the record of what it bounces: the job tries again."""


def find_connection(address: str) -> ChannelConnection:
    """Return the connection that a recipient's address belongs to. Raise UnknownAddress."""
    local_part, _, domain = address.lower().rpartition("@")
    if not address.isascii() or not address.isprintable() or len(address) > ADDRESS_MAX:
        raise UnknownAddress(address)
    if domain != settings.MAIL_DOMAIN.lower():
        raise UnknownAddress(address)
    if conversation := _conversation_by_token(local_part):
        found = ChannelConnection.objects.filter(source=conversation.source_id, kind="email", source__archived_at=None)
    else:
        found = ChannelConnection.objects.filter(local_part=local_part, kind="email", source__archived_at=None)
    connection = found.exclude(local_part="").first()
    if connection is None or not connection.is_connected:
        raise UnknownAddress(address)
    return connection


def _conversation_by_token(local_part: str) -> Conversation | None:
    head, _, token = local_part.partition("+")
    return Conversation.objects.filter(reply_token=token).first() if head == "reply" and token else None


@transaction.atomic
def keep_all(*, envelope_from: str, recipients: list[str], raw: bytes) -> None:
    """Keep one mail once for each connection it is for, or nothing. Raise UnknownAddress."""
    found = {find_connection(address): address for address in recipients}
    for connection, address in found.items():
        keep(connection=connection, envelope_from=envelope_from, envelope_to=address, raw=raw)


@transaction.atomic
def keep(*, connection: ChannelConnection, envelope_from: str, envelope_to: str, raw: bytes) -> InboundMail:
    """Keep a mail whole, with the job that reads it. When this returns, the mail may be acknowledged."""
    mail = InboundMail.objects.create(
        connection=connection, envelope_from=envelope_from[:320], envelope_to=envelope_to[:320], raw=raw
    )
    Job.objects.create(organization_id=connection.organization_id, category="read-mail", subject_id=mail.pk)
    transaction.on_commit(lambda: hints.send("job"))
    return mail


def read_mail(mail_id: UUID) -> None:
    """Make a message of a kept mail. Done twice, it changes nothing the second time."""
    waiting = InboundMail.objects.filter(pk=mail_id, outcome=InboundMail.Outcome.WAITING).first()
    if waiting is None:
        return
    mail = read(bytes(waiting.raw))  # outside the transaction: reading takes as long as a stranger wants
    with transaction.atomic():
        kept = InboundMail.objects.select_for_update().select_related("connection__source").get(pk=mail_id)
        if kept.outcome != InboundMail.Outcome.WAITING:
            return
        kept.header_id = mail.header_id if mail else ""
        kept.outcome, kept.message = _take(kept, mail)
        kept.save(update_fields=["header_id", "outcome", "message"])


def _take(kept: InboundMail, mail: Mail | None) -> tuple[InboundMail.Outcome, Message | None]:
    """Say what a mail is, and do what follows from it."""
    outcomes = InboundMail.Outcome
    if mail is None:
        return outcomes.UNREADABLE, None
    before = Message.objects.filter(connection=kept.connection, external_id=mail.header_id, direction="inbound")
    if before.exists():
        return outcomes.REPEATED, None
    if mail.is_bounce:
        _take_bounce(kept, mail)
        return outcomes.AUTOMATIC, None
    if mail.is_automatic or _is_ours(mail.sender) or _is_in_a_loop(kept, mail):
        return outcomes.AUTOMATIC, _show_automatic(kept, mail)
    return (outcomes.MESSAGE, _take_words(kept, mail)) if mail.sender else (outcomes.UNREADABLE, None)


def _is_in_a_loop(kept: InboundMail, mail: Mail) -> bool:
    """True for a program that has no marks of one: it says the same again and again to programs that answer it.

    Then the mail is shown and is no event, so that nobody's program answers it again. People who write to a program
    twenty times in an hour are people still.
    """
    thread = _thread(kept, mail, kept.connection.source)
    if thread is None:
        return False
    lately = Message.objects.filter(conversation=thread, created_at__gt=timezone.now() - LOOP_WINDOW)
    answers = lately.filter(
        direction=Message.Direction.OUTBOUND, author__in=[Message.Author.API, Message.Author.AUTOMATION]
    )
    same = lately.filter(direction=Message.Direction.INBOUND, content=mail.written or mail.subject)
    return answers[:LOOP_ANSWERS].count() >= LOOP_ANSWERS and same[:LOOP_REPEATS].count() >= LOOP_REPEATS


def _is_ours(sender: str) -> bool:
    return sender.endswith(f"@{settings.MAIL_DOMAIN.lower()}")


def _take_words(kept: InboundMail, mail: Mail) -> Message:
    source, connection = kept.connection.source, kept.connection
    words = Words(
        content=mail.written or mail.subject or "(empty mail)",
        folded=mail.folded,
        title=mail.subject or "Mail",
        connection=connection,
        external_id=mail.header_id,
    )
    thread = _thread(kept, mail, source)
    if thread:
        lead = Lead.objects.select_for_update(no_key=True).get(pk=thread.lead_id)
        if normalize_email(lead.email) != mail.sender:
            words.author_name = mail.sender
        arrived = arrive(source=source, who=Identified(lead), words=words, into=thread)
    else:
        first, _, last = mail.sender_name.partition(" ")
        who = identify_by_channel(source=source, details=Details(first_name=first, last_name=last, email=mail.sender))
        arrived = arrive(source=source, who=who, words=words)
    if not words.author_name or words.author_name == arrived.lead.name:
        _obey_stop_words(arrived.lead, arrived.conversation, mail.written)
    return arrived.message


def _thread(kept: InboundMail, mail: Mail, source: Source) -> Conversation | None:
    """The conversation a mail belongs to: by its reply address, else by what it answers.

    The address cannot be guessed, so it counts whoever writes. In-Reply-To can be guessed or forwarded, so it counts
    only from the lead's own address.
    """
    by_token = _conversation_by_token(kept.envelope_to.lower().rpartition("@")[0])
    if by_token and by_token.source_id == source.pk:
        return by_token
    for parent in mail.parents:
        own = decode("msg", parent.strip("<>").partition("@")[0])
        rows = Message.objects.filter(source=source).select_related("conversation", "lead")
        found = (
            rows.filter(pk=own).first()
            if own
            else rows.filter(connection=kept.connection, external_id=parent, direction="inbound").first()
        )
        if found and normalize_email(found.lead.email) == mail.sender:
            return found.conversation
    return None


def _obey_stop_words(lead: Lead, conversation: Conversation, written: str) -> None:
    word = " ".join(written.lower().strip(" .!\n").split())
    if word in STOP_WORDS and opt_out(lead=lead, channel="email", reason=OptOut.Reason.STOP):
        publish_for(EventType.LEAD_OPTED_OUT, conversation)
    elif word in START_WORDS:
        lift_opt_out(lead=lead, channel="email", only=OptOut.Reason.STOP)


def _show_automatic(kept: InboundMail, mail: Mail) -> Message | None:
    """Show an automatic answer in its conversation. It reopens nothing, marks nothing unread, and is no event."""
    thread = _thread(kept, mail, kept.connection.source)
    if thread is None:
        return None
    return Message.objects.create(
        organization_id=thread.organization_id,
        source_id=thread.source_id,
        lead_id=thread.lead_id,
        conversation=thread,
        connection=kept.connection,
        direction=Message.Direction.INBOUND,
        author=Message.Author.AUTOMATION,  # a program's words, not the lead's
        author_name=mail.sender or "Automatic answer",
        content=mail.written or mail.subject or "(empty mail)",
        folded=mail.folded,
        external_id=mail.header_id,
        status=Message.Status.RECEIVED,
        is_automatic=True,
    )


def _take_bounce(kept: InboundMail, mail: Mail) -> None:
    """A mail of ours came back: its message failed after all. Raise StillSending when that is not yet recorded."""
    own = decode("msg", mail.bounced_message)
    rows = Message.objects.filter(pk__in=[own] if own else [], source=kept.connection.source_id)
    message = rows.select_related("conversation__source").first()
    if message is None:
        return
    conversation = Conversation.objects.select_for_update(no_key=True).get(pk=message.conversation_id)
    message.refresh_from_db(fields=["status"])
    if message.status == Message.Status.SENDING:
        raise StillSending(message.public_id)
    sent = [Message.Status.SENT, Message.Status.DELIVERED, Message.Status.READ]
    changed = Message.objects.filter(pk=message.pk, status__in=sent).update(
        status=Message.Status.FAILED, error_code="channel.bounced", error_detail=mail.bounce_reason[:500]
    )
    if changed:
        message.refresh_from_db()
        publish_for(EventType.MESSAGE_BOUNCED, conversation, message)
