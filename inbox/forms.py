"""Forms of the inbox: what to do with conversations, and views with a name."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms

from accounts.models import User
from conversations.models.conversations import TAG_LENGTH
from core.ids import decode
from inbox.bulk import SELECTED_MAX, Action, Wanted
from inbox.filters import ME, NOBODY
from inbox.models import SavedView
from inbox.times import CHOICES, moment_of


class SnoozeForm(forms.Form):
    """Until when: one of a few, or an own time."""

    until = forms.ChoiceField(label="Snooze", choices=CHOICES, required=False)
    at = forms.DateTimeField(
        label="Or until", required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and not data.get("at") and not data.get("until"):
            raise forms.ValidationError("Choose until when.")
        return data

    @property
    def moment(self) -> datetime:
        """The moment that was chosen. The form is valid."""
        at: datetime | None = self.cleaned_data.get("at")
        return at or moment_of(self.cleaned_data["until"])


class BulkForm(forms.Form):
    """What to do with the conversations that are ticked. The button says what; its field stands beside it."""

    action = forms.ChoiceField(choices=Action.choices)
    conversation = forms.TypedMultipleChoiceField(coerce=lambda text: decode("conv", text))
    assignee = forms.ChoiceField(required=False)
    until = forms.ChoiceField(required=False, choices=[("", ""), *CHOICES])
    tag = forms.CharField(required=False, max_length=TAG_LENGTH)
    seen_at = forms.DateTimeField(required=False)

    def __init__(self, data: Any, *, people: dict[str, User]) -> None:
        super().__init__(data)
        self.people = people
        chosen = [text for text in data.getlist("conversation") if decode("conv", text)]
        self.fields["conversation"].choices = [(text, text) for text in chosen]  # type: ignore[attr-defined]
        self.fields["conversation"].error_messages["required"] = "Select conversations first."
        people_choices = [("", ""), (ME, ""), (NOBODY, ""), *((key, "") for key in people)]
        self.fields["assignee"].choices = people_choices  # type: ignore[attr-defined]

    def clean_conversation(self) -> list[Any]:
        chosen: list[Any] = self.cleaned_data["conversation"]
        if len(chosen) > SELECTED_MAX:
            raise forms.ValidationError(f"Select at most {SELECTED_MAX} conversations at once.")
        return chosen

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        needed = {Action.ASSIGN: ("assignee", "Choose a person."), Action.SNOOZE: ("until", "Choose until when."),
                  Action.TAG: ("tag", "Write a tag.")}  # fmt: skip
        name, words = needed.get(data.get("action", ""), ("", ""))
        if name and not data.get(name) and name not in self.errors:
            self.add_error(name, words)
        return data

    def wanted(self, me: User) -> Wanted:
        """What is to be done. The form is valid."""
        data = self.cleaned_data
        until = moment_of(data["until"]) if data["until"] else None
        to = me if data["assignee"] == ME else self.people.get(data["assignee"])
        return Wanted(Action(data["action"]), to=to, until=until, tag=data["tag"], seen_at=data["seen_at"])


class SavedViewForm(forms.ModelForm):  # type: ignore[type-arg]
    """A name for what the list shows now."""

    class Meta:
        model = SavedView
        fields = ["name", "is_shared", "query"]
        widgets = {"query": forms.HiddenInput}
