"""Write a message as its channel sends it."""

from __future__ import annotations

from django.conf import settings
from django.template.loader import render_to_string

from conversations.models import Conversation, Message
from conversations.services.templates import template_of
from conversations.services.uploads import outgoing_files
from messaging.accounts import account_as_configured
from messaging.base import Outgoing
from messaging.email.signatures import mail_settings_of, with_signature
from messaging.failures import NotSent
from messaging.models import ChannelConnection
from messaging.models.connections import RETURNED
from messaging.registry import CHANNELS, PROVIDERS

REFERENCES_KEPT = 20


def message_id_of(message: Message) -> str:
    """The Message-ID of a mail of ours (RFC 5322, 3.6.4), the same however often it is sent."""
    return f"<{message.public_id}@{settings.MAIL_DOMAIN}>"


def unsubscribe_url_of(conversation: Conversation) -> str:
    """The unsubscribe link of a conversation. Its token is also in the reply address of every mail to the lead."""
    return f"{settings.BASE_URL}/unsubscribe/{conversation.reply_token}/"


def write(message: Message) -> Outgoing:
    """Return a message as its channel sends it. Raise NotSent when it has no channel."""
    if message.connection is None:
        raise NotSent("channel.failed", "The message has no channel.", is_permanent=True)
    channel = CHANNELS[message.connection.kind]
    if channel.is_mail:
        return _write_mail(message, message.connection)
    return Outgoing(
        reference=message.public_id,
        to=message.lead.phone_e164,
        text=message.content,
        template=template_of(message) if channel.window else None,
        files=outgoing_files(message),
        is_from_a_program=message.author != Message.Author.STAFF,
        is_automatic=message.author == Message.Author.AUTOMATION,
    )


def _write_mail(message: Message, connection: ChannelConnection) -> Outgoing:
    conversation = message.conversation
    references = _mail_ids_before(message)
    subject = _subject(conversation)
    is_automatic = message.author == Message.Author.AUTOMATION
    unsubscribe_url = unsubscribe_url_of(conversation) if is_automatic else ""
    mail_settings = mail_settings_of(connection)
    text = with_signature(message.content, mail_settings)
    values = {"content": message.content, "mail_settings": mail_settings, "unsubscribe_url": unsubscribe_url}
    return Outgoing(
        reference=message.public_id,
        to=message.lead.email,
        text=f"{text}\n\nUnsubscribe: {unsubscribe_url}" if unsubscribe_url else text,
        html=render_to_string("mail/message.html", values),
        subject=f"Re: {subject}" if references else subject,
        message_id=message_id_of(message),
        references=references,
        sender_name=mail_settings.sender_name or connection.name,
        sender_address=connection.address,
        reply_to=mail_settings.reply_to or _reply_to(connection, conversation),
        return_path=connection.address_with(f"{RETURNED}{message.public_id}") if connection.is_built_in else "",
        is_from_a_program=message.author != Message.Author.STAFF,
        is_automatic=is_automatic,
        unsubscribe_url=unsubscribe_url,
        files=outgoing_files(message),
    )


def _reply_to(connection: ChannelConnection, conversation: Conversation) -> str:
    """Where answers go: to where the account takes mail in, and to the source's own address where it takes none."""
    own = connection
    if not connection.is_built_in:
        address = PROVIDERS[connection.provider].answers_to(account_as_configured(connection))
        if address:
            return address
        own = ChannelConnection.objects.get(source=conversation.source_id, provider="installation")
    return own.address_with(conversation.reply_token)


def _subject(conversation: Conversation) -> str:
    """Return the subject. A form has none, and the lead's first words would read oddly there, so we give it one."""
    title = " ".join(conversation.title.split())
    first = Message.objects.filter(conversation=conversation).order_by("id").only("content").first()
    if first and " ".join(first.content.split()).startswith(title.rstrip("…")):
        return " ".join(f"Your message to {conversation.source.name}".split())
    return title


def _mail_ids_before(message: Message) -> list[str]:
    """Message-IDs of the thread so far, oldest first."""
    before = Message.objects.filter(
        conversation=message.conversation_id, id__lt=message.pk, connection__kind="email", is_automatic=False
    ).exclude(status=Message.Status.FAILED)
    newest = before.order_by("-id").only("id", "external_id", "direction")[:REFERENCES_KEPT]
    ids = [earlier.external_id if earlier.is_inbound else message_id_of(earlier) for earlier in reversed(newest)]
    return [
        mail_id
        for mail_id in ids
        if mail_id.startswith("<") and mail_id.endswith(">") and mail_id.isascii() and " " not in mail_id
    ]
