"""Accounts, where they need the parts above them."""

from __future__ import annotations

from typing import Any

from accounts.adapter import AccountAdapter as Adapter
from accounts.models import User
from accounts.services.invitations import post_password_link


class AccountAdapter(Adapter):
    """Sends its mails as our own letters, and not while somebody waits: how long that takes would tell who is known."""

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        post_password_link(user)
