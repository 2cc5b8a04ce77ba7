"""The mailbox of the demo's leads, /demo/mail/, and their phone, /demo/phone/."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from demo.phones import PHONE
from messaging.registry import CHANNELS

MAILS_SHOWN = 30
MESSAGES_SHOWN = 50
PHONE_CHANNELS = [(slug, CHANNELS[slug].label) for slug in ("sms", "whatsapp")]
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


class PhoneForm(forms.Form):
    """What the phone writes."""

    channel = forms.ChoiceField(choices=PHONE_CHANNELS)
    text = forms.CharField(label="Message", max_length=1_600, widget=forms.Textarea(attrs={"rows": 2}))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def phone(request: HttpRequest) -> HttpResponse:
    """What a lead's phone got and wrote. POST: write to the business, as a phone does."""
    form = PhoneForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        said = json.dumps({**form.cleaned_data, "phone": PHONE}).encode()
        try:
            urllib.request.urlopen(f"{settings.DEMO_PHONE_URL}/say", said, timeout=15).close()  # noqa: S310  our own
        except OSError as error:
            form.add_error(None, f"The demo's phone network could not deliver it: {error}")
        else:
            return redirect("demo-phone")
    path = Path(settings.DEMO_PHONE_DIR) / "messages.jsonl"
    lines = path.read_text().splitlines()[-MESSAGES_SHOWN:] if path.exists() else []
    labels = dict(PHONE_CHANNELS)
    shown = [
        {**row, "at": datetime.fromtimestamp(row["at"], UTC), "label": labels[row["channel"]]}
        for row in map(json.loads, lines)
        if row["phone"] == PHONE
    ]
    return render(request, "demo/phone_page.html", {"form": form, "messages_shown": shown, "phone": PHONE})
