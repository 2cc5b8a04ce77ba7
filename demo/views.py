"""The mailbox of the demo's leads: /demo/mail/."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

MAILS_SHOWN = 30
HEADERS = ("From", "To", "Subject", "Date", "Reply-To", "In-Reply-To")


@login_required
@require_safe
def mails(request: HttpRequest) -> HttpResponse:
    """The newest mails that left Leadwire."""
    paths = sorted(Path(settings.DEMO_MAIL_DIR).glob("*.eml"), reverse=True)[:MAILS_SHOWN]
    return render(request, "demo/mails_page.html", {"mails": [_shown(path) for path in paths]})


def _shown(path: Path) -> dict[str, object]:
    mail: EmailMessage = message_from_bytes(path.read_bytes(), policy=policy.default)
    body = mail.get_body(preferencelist=("plain",))
    headers = [(name, str(mail[name])) for name in HEADERS if mail[name]]
    return {"headers": headers, "text": body.get_content() if body else "", "subject": str(mail["Subject"])}
