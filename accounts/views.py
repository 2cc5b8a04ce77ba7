"""Choose a password by a link that came by mail."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.views import PasswordResetFromKeyView
from django.http import HttpResponseBase


class ChoosePassword(PasswordResetFromKeyView):  # type: ignore[misc]
    """The page behind the link of an invitation or of a reset. Who comes by it has proved the address."""

    def form_valid(self, form: Any) -> HttpResponseBase:
        user = self.reset_user
        EmailAddress.objects.filter(user_id=user.pk, email__iexact=user.email).update(verified=True)
        answer: HttpResponseBase = super().form_valid(form)
        return answer
