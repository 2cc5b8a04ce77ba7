"""Saved replies: the list, their form, and one in the answer that is being written."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import membership_with
from accounts.http import PageRequest
from accounts.models import Organization
from accounts.rights import Right
from inbox.models import SavedReply
from inbox.models.saved_replies import SAVED_MAX
from inbox.variables import VARIABLES, filled, values_of, variables_in
from inbox.views.pane import load_conversation, show
from inbox.views.reply_form import ReplyForm


class SavedReplyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A text with a name, unique in the organization."""

    class Meta:
        model = SavedReply
        fields = ["name", "content"]
        widgets = {"content": forms.Textarea(attrs={"rows": 8})}

    def __init__(self, *args: Any, organization: Organization, **more: Any) -> None:
        super().__init__(*args, **more)
        self.instance.organization = organization
        self.fields["content"].strip = False  # type: ignore[attr-defined]
        self.fields["content"].help_text = f"Variables: {', '.join(f'{{{{{name}}}}}' for name in VARIABLES)}."

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = SavedReply.objects.filter(organization=self.instance.organization).exclude(pk=self.instance.pk)
        if others.filter(name__iexact=name).exists():
            raise forms.ValidationError("There is a saved reply with this name already.")
        if self.instance._state.adding and others.count() >= SAVED_MAX:
            raise forms.ValidationError(f"There are {SAVED_MAX} saved replies already. Delete one first.")
        return name

    def clean_content(self) -> str:
        content: str = self.cleaned_data["content"]
        unknown = [name for name in variables_in(content) if name not in VARIABLES]
        if unknown:
            raise forms.ValidationError(f"There is no variable {{{{{unknown[0]}}}}}.")
        if not content.strip():
            raise forms.ValidationError("Write a text.")
        return content


@login_required
@require_safe
def saved_replies(request: PageRequest) -> HttpResponse:
    """All of the organization's, by name."""
    membership = membership_with(request, Right.ANSWER)
    rows = SavedReply.objects.filter(organization=membership.organization_id).select_related("changed_by")
    return render(request, "inbox/saved_replies_page.html", {"rows": rows})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def saved_reply_form(request: PageRequest, saved_id: UUID | None = None) -> HttpResponse:
    """Add a saved reply, or change one."""
    membership = membership_with(request, Right.ANSWER)
    mine = SavedReply.objects.filter(organization=membership.organization_id)
    saved = get_object_or_404(mine, pk=saved_id) if saved_id else SavedReply()
    form = SavedReplyForm(request.POST or None, instance=saved, organization=membership.organization)
    if request.method == "POST" and form.is_valid():
        saved.changed_by, saved.changed_at = request.user, timezone.now()
        form.save()
        return redirect("inbox:saved-replies")
    return render(request, "inbox/saved_reply_page.html", {"form": form, "saved": saved if saved_id else None})


@login_required
@require_POST
def saved_reply_delete(request: PageRequest, saved_id: UUID) -> HttpResponse:
    membership = membership_with(request, Right.ANSWER)
    get_object_or_404(SavedReply, pk=saved_id, organization=membership.organization_id).delete()
    return redirect("inbox:saved-replies")


@login_required
@require_POST
def saved_reply_use(request: PageRequest, conversation_id: UUID, saved_id: UUID) -> HttpResponse:
    """Put one into the answer that is being written. For browsers without scripts: the others do it in place."""
    conversation = load_conversation(request, conversation_id, Right.ANSWER)
    saved = get_object_or_404(SavedReply, pk=saved_id, organization=conversation.organization_id)
    typed = request.POST.get("content", "")
    text = filled(saved.content, values_of(conversation, request.user))
    content = f"{typed}\n{text}" if typed.strip() else text
    return show(request, conversation, ReplyForm(initial={"content": content}, source=conversation.source))
