"""How allauth behaves here."""

from typing import Any
from urllib.parse import quote

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.devices import device_of, remember
from accounts.models import User


class AccountAdapter(DefaultAccountAdapter):
    """People come by invitation only, so nobody signs up by themselves."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """False for what is no URL at all: the library raises on some."""
        try:
            return bool(super().is_safe_url(url))
        except ValueError:
            return False

    def post_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse:
        """Remember the browser."""
        response: HttpResponse = super().post_login(request, user, **more)
        remember(response, user.email)
        return response

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Say what wrong passwords are counted by: the account, whatever host the request names.

        A browser in which the person has logged in before counts for itself, and an account with a second factor counts
        by network: strangers could else shut a person out by guessing.
        """
        login = str(credentials.get("email") or credentials.get("username") or "").lower()
        if device := device_of(request, login):
            return f"{login}:device:{device}"
        if Authenticator.objects.filter(user__email__iexact=login).exists():
            return f"{login}:network:{self.get_client_ip(request)}"
        return login

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Return a link at our own address, whatever host the request names: the mail goes to somebody else."""
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return f"{settings.BASE_URL}{path.replace('UID-KEY', quote(key))}"


class MFAAdapter(DefaultMFAAdapter):
    """Second factors are secrets that we must keep readable, so they are encrypted like the others."""

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _fernet().decrypt(encrypted_text.encode()).decode()


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.LEADWIRE_ENCRYPTION_KEYS])
