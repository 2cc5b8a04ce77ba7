"""Whether receivers can tell that the mails of a connection are its own."""

from __future__ import annotations

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.validators import RegexValidator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.http import PageRequest
from messaging.accounts import account_row
from messaging.email.domains import check_domain
from messaging.models import ChannelConnection
from messaging.registry import PROVIDERS
from messaging.views.mail_settings import load_for_mail


class SelectorForm(forms.Form):
    selector = forms.CharField(
        label="DKIM selector",
        max_length=63,
        required=False,
        help_text="The first part of the name of your provider's DKIM record. Empty: the usual ones are tried.",
        validators=[RegexValidator(r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$", "This is not a selector.")],
    )


@login_required
@never_cache
@require_safe
def connection_domain(request: PageRequest, connection_id: int) -> HttpResponse:
    """What the DNS of the sender's domain says, and which records to add."""
    connection = load_for_mail(request, connection_id)
    form = SelectorForm(request.GET or None)
    selector = form.cleaned_data["selector"] if form.is_valid() else ""
    domain = connection.address.rpartition("@")[2]
    values = {
        "connection": connection,
        "domain": domain,
        "form": form,
        "findings": check_domain(domain, server=_server_of(connection), selector=selector),
    }
    return render(request, "messaging/domain_page.html", values)


def _server_of(connection: ChannelConnection) -> str:
    """What sends the connection's mails: a server's name, or an ESP's; "" where only the operator knows."""
    provider = PROVIDERS[connection.provider]
    if not provider.settings:
        return ""
    own: str = getattr(account_row(connection), "smtp_host", provider.slug)
    return provider.fixed_settings().get("smtp_host", own)
