"""Choose a password by a link that came by mail."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.views import PasswordResetFromKeyView
from django.contrib import messages
from django.http import HttpResponseBase


class ChoosePassword(PasswordResetFromKeyView):
    """The page behind the link of an invitation or a password reset. Using the link proves the email address."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        values: dict[str, Any] = super().get_context_data(**kwargs)
        user = self.reset_user
        if user and not user.last_login and not user.has_usable_password():  # they were invited
            mine = user.current_memberships
            values["organization"] = mine[0].organization if mine else None
        return {**values, "reset_user": user}

    def form_valid(self, form: Any) -> HttpResponseBase:
        user = self.reset_user
        EmailAddress.objects.filter(user_id=user.pk, email__iexact=user.email).update(verified=True)
        answer: HttpResponseBase = super().form_valid(form)
        if self.request.user.is_authenticated:
            messages.success(self.request, "You're all set.")
        return answer
