"""Send a template: what may be said when free text may not."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from accounts.http import PageRequest
from accounts.reach import load
from accounts.rights import Right
from conversations.models import Conversation, Message
from conversations.services.replies import Author, Reply, send_reply
from core.problems import Refusal
from inbox.selectors import sendable_templates
from messaging.base import FilledTemplate
from messaging.models import MessageTemplate

VARIABLE_MAX = 1_000  # characters


class TemplateForm(forms.Form):
    """A text for each variable of a template."""

    def __init__(self, *args: Any, template: MessageTemplate, **more: Any) -> None:
        super().__init__(*args, **more)
        for name in template.variables:
            self.fields[f"variable_{name}"] = forms.CharField(label=f"{{{{{name}}}}}", max_length=VARIABLE_MAX)

    def values(self) -> list[str]:
        """The texts, in the order in which the provider takes them."""
        return [self.cleaned_data[name] for name in self.fields]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def template_use(request: PageRequest, conversation_id: UUID, template_id: int) -> HttpResponse:
    """Fill in a template, see what the lead will read, and send it."""
    rows = Conversation.objects.select_related("lead", "source__parent")
    conversation = load(rows, request, conversation_id, Right.ANSWER)
    mine = [template.pk for template in sendable_templates(conversation)]
    template = get_object_or_404(MessageTemplate.objects.filter(pk__in=mine), pk=template_id)
    form = TemplateForm(request.POST if request.method == "POST" else None, template=template)
    if request.method == "POST" and form.is_valid():
        reply = Reply(
            content="",
            conversation_id=conversation.pk,
            connection_id=template.connection_id,
            template=FilledTemplate(template.name, template.language, form.values()),
            reopens=True,
        )
        author = Author(Message.Author.STAFF, str(request.user), request.user.pk)
        try:
            send_reply(lead_id=conversation.lead_id, reply=reply, author=author)
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("inbox:conversation", conversation.pk)
    values = {"conversation": conversation, "template": template, "form": form}
    return render(request, "inbox/template_page.html", values)
