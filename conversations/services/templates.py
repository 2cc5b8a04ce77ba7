"""Messages that are made of a template which the provider has approved."""

from __future__ import annotations

from conversations.models import Message, SentTemplate
from core.problems import Refusal
from messaging.base import FilledTemplate
from messaging.models import MessageTemplate
from messaging.templates import fill, named


def use_template(connection_id: int, wanted: FilledTemplate) -> tuple[str, FilledTemplate]:
    """Return the text that the lead reads, and the template as its provider takes it.

    Raise Refusal `template.notFound` for one that the connection cannot send, and `template.variables` when there are
    more or fewer texts than variables.
    """
    rows = MessageTemplate.objects.sendable().filter(connection=connection_id, name=wanted.name)
    template = rows.filter(language=wanted.language).first()
    if template is None:
        detail = "There is no approved template of this name and language for this connection."
        raise Refusal(422, "template.notFound", detail)
    try:
        content = fill(template.body, wanted.variables)
    except ValueError as error:
        count = len(template.variables)
        detail = f"This template has {count} variable{'' if count == 1 else 's'}: {template.body}"
        raise Refusal(422, "template.variables", detail) from error
    return content, FilledTemplate(template.name, template.language, wanted.variables, named(template.body))


def keep_template(message: Message, template: FilledTemplate) -> None:
    """Store with a message of what it is made. Call it in the transaction that writes the message."""
    SentTemplate.objects.create(
        message_id=message.pk,
        name=template.name,
        language=template.language,
        variables=template.variables,
        variable_names=template.names,
    )


def template_of(message: Message) -> FilledTemplate | None:
    """Return the template that a message is made of, if it is."""
    sent = SentTemplate.objects.filter(message=message.pk).first()
    return FilledTemplate(sent.name, sent.language, sent.variables, sent.variable_names) if sent else None
