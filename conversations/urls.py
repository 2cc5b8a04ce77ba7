"""The team's pages, and the public form."""

from django.urls import path

from conversations.views import forms
from integrations import converters  # noqa: F401  makes <src:...> and its like known

app_name = "conversations"
urlpatterns = [
    path("forms/<src:source_id>", forms.form, name="form"),
    path("forms/<src:source_id>/thanks", forms.form_thanks, name="form-thanks"),
]
