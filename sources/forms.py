"""The form of a source."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django import forms

from accounts.forms import zone_choices
from accounts.models import Source, User
from accounts.reach import reach_of
from accounts.rights import Right


class SourceForm(forms.ModelForm):
    """A business, or a location of one."""

    parent = forms.ModelChoiceField(
        label="Kind",
        queryset=Source.objects.none(),
        required=False,
        empty_label="A business",
        help_text="A location belongs to a business and may inherit its integrations.",
    )
    time_zone = forms.ChoiceField(choices=zone_choices, help_text="The source's days begin and end in it.")
    form_origins = forms.CharField(
        label="Allowed websites",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "https://www.example.com"}),
        help_text="One per line. Leave empty to allow any.",
    )

    class Meta:
        model = Source
        fields = ["name", "external_id", "time_zone", "form_origins", "answers_take_over"]

    def __init__(self, *args: Any, user: User, organization_id: UUID, **kwargs: Any) -> None:
        self.organization_id = organization_id
        super().__init__(*args, **kwargs)
        self.order_fields(["name", "parent", "external_id", "time_zone", "form_origins", "answers_take_over"])
        if self.instance.pk and not self.instance._state.adding:
            del self.fields["parent"]
            self.initial["form_origins"] = "\n".join(self.instance.form_origins)
        else:
            businesses = Source.objects.businesses().active().visible_to(user, Right.CONFIGURE)
            parent: Any = self.fields["parent"]
            parent.queryset = businesses
            parent.label_from_instance = lambda source: f"A location of {source.name}"
            if not reach_of(user, Right.CONFIGURE).organization_ids:
                parent.required = True

    def clean_external_id(self) -> str:
        external_id: str = self.cleaned_data["external_id"]
        others = Source.objects.filter(organization=self.organization_id, external_id=external_id)
        if external_id and others.exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("Another source of the organization has this external id.")
        return external_id

    def clean_form_origins(self) -> list[str]:
        origins = []
        for line in self.cleaned_data["form_origins"].split():
            try:
                parts = urlsplit(line)
            except ValueError:
                parts = urlsplit("")
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise forms.ValidationError(f"“{line}” is not a website. Write it as https://www.example.com.")
            origins.append(f"{parts.scheme}://{parts.netloc}")
        return origins
