"""How forms look, in one place (settings, FORM_RENDERER)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms import renderers

# Bootstrap's class for each kind of control; the first that fits.
CONTROL_CLASSES: dict[type[forms.Widget], str] = {
    forms.CheckboxInput: "",
    forms.RadioSelect: "",  # and checkboxes, of which there are several
    forms.HiddenInput: "",
    forms.Select: "form-select",
    forms.widgets.Input: "form-control",
    forms.Textarea: "form-control",
}


class ControlField(forms.BoundField):
    """A field whose control has the class of its kind, unless it has one of its own, as in Django's admin."""

    def build_widget_attrs(self, attrs: dict[str, Any], widget: forms.Widget | None = None) -> dict[str, Any]:
        widget = widget or self.field.widget
        attrs = super().build_widget_attrs(attrs, widget)
        name = next((name for kind, name in CONTROL_CLASSES.items() if isinstance(widget, kind)), "")
        return attrs | {"class": name} if name and "class" not in {**widget.attrs, **attrs} else attrs


class FormRenderer(renderers.DjangoTemplates):
    bound_field_class = ControlField
