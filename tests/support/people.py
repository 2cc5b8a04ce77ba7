"""People of the team, and how they log in."""

from __future__ import annotations

from django.test import Client

from accounts.models import Membership, Organization, Source, SourceAccess, User

PASSWORD = "correct horse battery"
WEBHOOK_SCOPES = ["webhooks:write", "jobs:write"]


def person(name: str, organization: Organization, role: str, *sources: Source) -> User:
    user = User.objects.create_user(f"{name}@example.com", PASSWORD, name=name.title())
    membership = Membership.objects.create(organization=organization, user=user, role=role)
    if sources:
        from django.utils import timezone

        membership.limited_at = timezone.now()
        membership.save()
        for source in sources:
            SourceAccess.objects.create(membership=membership, source=source)
    return user


def log_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def limited_manager(name: str, organization: Organization, *sources: Source) -> Membership:
    """A new manager of these sources only."""
    return Membership.objects.get(user=person(name, organization, "manager", *sources))
