"""A kept mail becomes a message: whose it is, where it belongs, and what it sets off."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from conversations.models import Conversation, Message
from conversations.services.arrivals import InboundContent, arrive
from conversations.services.attachments import FileReceived, describe
from conversations.services.consent import obey_stop_words
from conversations.services.delivery_reports import take_report
from conversations.services.origins import messages_by, source_of
from conversations.services.received_replies import judge, record_reply
from core.ids import decode
from leads.models import Lead
from leads.services import Details, Identified, identify_by_channel
from messaging.addresses import is_email, normalize_email
from messaging.email.reader_process import NotRead, reader
from messaging.email.reading import Mail
from messaging.email.senders import Sender
from messaging.email.verification import is_verified
from messaging.models import InboundMail
from messaging.models.connections import RETURNED

LOOP_ANSWERS, LOOP_WINDOW = 20, timedelta(hours=1)  # by programs in one conversation
LOOP_REPEATS = 5  # mails with the same words
SUBJECT_SHOWN = 300  # characters
NOBODY = "Unknown sender"
EMPTY, EMPTY_WITH_FILES = "(empty mail)", "(no text)"


def read_mail(mail_id: UUID) -> None:
    """Make a message of a kept mail. Done twice, it changes nothing the second time."""
    waiting = InboundMail.objects.filter(pk=mail_id, outcome=InboundMail.Outcome.WAITING).first()
    if waiting is None:
        return
    # Outside the transaction: a stranger may make it long.
    mail = reader.read(bytes(waiting.raw))
    files = _files(bytes(waiting.raw)) if mail.has_files and mail.report is None else []
    with transaction.atomic():
        kept = InboundMail.objects.select_for_update().select_related("connection__source").get(pk=mail_id)
        if kept.outcome != InboundMail.Outcome.WAITING:
            return
        sender = _sender(kept, mail)
        kept.header_id, kept.sender, kept.subject = mail.header_id, sender.address, mail.subject[:SUBJECT_SHOWN]
        kept.has_html = mail.has_html
        kept.outcome, message = _take(kept, mail, sender, files)
        kept.message_id = message.pk if message else None
        kept.save(update_fields=["header_id", "sender", "subject", "has_html", "outcome", "message_id"])


def _files(raw: bytes) -> list[FileReceived]:
    """What files a mail has; none where they cannot be told apart in time. The whole mail has them all the same."""
    try:
        files = reader.list_files(raw)
    except NotRead:
        try:
            files = reader.list_files(raw)  # the machine may have been busy
        except NotRead:
            return []
    return [
        FileReceived(file.name, file.content_type, file.size, part=part, is_whole=file.is_whole)
        for part, file in enumerate(files)
        if file.size
    ]


def _sender(kept: InboundMail, mail: Mail) -> Sender:
    """Return who wrote the mail. If its headers name nobody who could be answered, that is the envelope's sender."""
    envelope = normalize_email(kept.envelope_from)
    return Sender(mail.sender_name, mail.sender or (envelope if is_email(envelope) else ""))


def _take(
    kept: InboundMail, mail: Mail, sender: Sender, files: list[FileReceived]
) -> tuple[InboundMail.Outcome, Message | None]:
    """Say what a mail is, and do what follows from it. The message is the one it made or concerns."""
    outcomes = InboundMail.Outcome
    before = Message.objects.filter(connection=kept.connection, repeat_key=mail.repeat_key, direction="inbound").first()
    if before:
        return outcomes.REPEATED, before
    if mail.report is not None:
        report = mail.report._replace(message=_returned(kept) or mail.report.message)
        return outcomes.AUTOMATIC, take_report(kept.connection, report)
    thread = _thread(kept, mail, sender)
    came_back = bool(_returned(kept)) and not kept.envelope_from  # in words that nobody here knows
    if mail.is_automatic or came_back or _is_ours(sender.address) or (thread and _is_in_a_loop(thread, mail)):
        return outcomes.AUTOMATIC, _show_automatic(kept, mail, sender, thread, files) if thread else None
    return outcomes.MESSAGE if mail.is_understood else outcomes.UNREADABLE, _take_words(
        kept, mail, sender, thread, files
    )


def _is_in_a_loop(thread: Conversation, mail: Mail) -> bool:
    """True for a program that has no marks of one: it says the same again and again to programs that answer it.

    Then the mail is shown and is no event, so that nobody's program answers it again. People who write to a program
    twenty times in an hour are people still.
    """
    lately = Message.objects.filter(conversation=thread, created_at__gt=timezone.now() - LOOP_WINDOW)
    answers = lately.filter(
        direction=Message.Direction.OUTBOUND, author__in=[Message.Author.API, Message.Author.AUTOMATION]
    )
    same = lately.filter(direction=Message.Direction.INBOUND, content=mail.reply_text or mail.subject)
    return answers[:LOOP_ANSWERS].count() >= LOOP_ANSWERS and same[:LOOP_REPEATS].count() >= LOOP_REPEATS


def _is_ours(sender: str) -> bool:
    return sender.endswith(f"@{settings.MAIL_DOMAIN.lower()}")


def _take_words(
    kept: InboundMail, mail: Mail, sender: Sender, thread: Conversation | None, files: list[FileReceived]
) -> Message:
    words = InboundContent(
        content=mail.reply_text or mail.subject or (EMPTY_WITH_FILES if files else EMPTY),
        quoted_text=mail.quoted_text,
        title=mail.subject or "Mail",
        connection=kept.connection,
        external_id=mail.header_id,
        repeat_key=mail.repeat_key,
        subject=mail.subject,
        is_unverified=not _is_verified(kept, mail, sender, thread),
        files=files,
    )
    if thread:
        lead = Lead.objects.select_for_update(no_key=True).get(pk=thread.lead_id)
        if normalize_email(lead.email) != sender.address:
            words.author_name = sender.address or sender.name or NOBODY
        arrived = arrive(source=thread.source, who=Identified(lead), words=words, into=thread)
    else:
        source = source_of(kept.connection, email=sender.address)
        first, _, last = (sender.name or ("" if sender.address else NOBODY)).partition(" ")
        who = identify_by_channel(
            source=source, details=Details(first_name=first, last_name=last, email=sender.address)
        )
        arrived = arrive(source=source, who=who, words=words)
    is_from_the_lead = not words.author_name or words.author_name == arrived.lead.name
    if is_from_the_lead and not words.is_unverified:
        obey_stop_words(arrived.lead, arrived.conversation, mail.reply_text, kept.connection.kind)
    return arrived.message


def _is_verified(kept: InboundMail, mail: Mail, sender: Sender, thread: Conversation | None) -> bool:
    return is_verified(
        sender=sender.address,
        envelope_from=normalize_email(kept.envelope_from),
        results=mail.dmarc,
        # Only our own mail server takes out what strangers write there.
        trusted=settings.MAIL_AUTHSERV_ID if kept.connection.is_built_in else "",
        has_token=thread is not None and thread.reply_token == _token(kept),
    )


def _token(kept: InboundMail) -> str:
    """The reply token of the address that the mail came to; "" when it has none."""
    return kept.envelope_to.lower().rpartition("@")[0].partition("+")[2]


def _returned(kept: InboundMail) -> str:
    """Our id of the message whose return path the mail came to; "" where it came to another address."""
    token = _token(kept)
    return token.removeprefix(RETURNED) if token.startswith(RETURNED) else ""


def _thread(kept: InboundMail, mail: Mail, sender: Sender) -> Conversation | None:
    """The conversation a mail belongs to: by its reply address, else by what it answers.

    The address cannot be guessed, so it counts whoever writes. In-Reply-To can be guessed or forwarded, so it counts
    only from the lead's own address.
    """
    connection, token = kept.connection, _token(kept)
    if token and (
        named := Conversation.objects.filter(reply_token=token, source=connection.source)
        .select_related("source")
        .first()
    ):
        return named
    if returned := decode("msg", _returned(kept)):
        sent = messages_by(connection).select_related("conversation__source").filter(pk=returned).first()
        return sent.conversation if sent else None
    for parent in mail.parents:
        own = decode("msg", parent.strip("<>").partition("@")[0])
        rows = messages_by(connection).select_related("conversation__source", "lead")
        parent_message = (
            rows.filter(pk=own).first()
            if own
            else rows.filter(connection=connection, external_id=parent, direction="inbound").first()
        )
        if parent_message and sender.address and normalize_email(parent_message.lead.email) == sender.address:
            return parent_message.conversation
    return None


def _show_automatic(
    kept: InboundMail, mail: Mail, sender: Sender, thread: Conversation, files: list[FileReceived]
) -> Message:
    """Show an automatic answer in its conversation. It reopens nothing, marks nothing unread, and is no arrival."""
    message = Message(
        organization_id=thread.organization_id,
        source_id=thread.source_id,
        lead_id=thread.lead_id,
        conversation=thread,
        connection=kept.connection,
        direction=Message.Direction.INBOUND,
        author=Message.Author.AUTOMATION,  # a program's words, not the lead's
        author_name=sender.address or "Automatic answer",
        content=mail.reply_text or mail.subject or EMPTY,
        quoted_text=mail.quoted_text,
        external_id=mail.header_id,
        repeat_key=mail.repeat_key,
        status=Message.Status.RECEIVED,
        is_automatic=True,
        attachment_count=len(files),
    )
    verdict = judge(message, subject=mail.subject, is_automatic=mail.is_automatic) if thread.answered_at else None
    message.save(force_insert=True)
    describe(message, files)
    if verdict:
        record_reply(thread, message, verdict)
    return message
