"""Accounts, where they need the parts above them."""

from __future__ import annotations

from typing import Any

from accounts.adapter import AccountAdapter as Adapter
from accounts.models import User
from accounts.services.invitations import post_password_link


class AccountAdapter(Adapter):
    """Sends mails as letters in the background. In the request, the time that it takes would reveal known addresses."""

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        post_password_link(user)
