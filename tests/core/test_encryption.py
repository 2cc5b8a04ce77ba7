"""The encryption key is rotated, or lost: what is read, what is said, and that nothing is done twice."""

from __future__ import annotations

import html

import pytest
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.test import override_settings

from accounts.adapter import MFAAdapter
from conversations.models import Message
from core.rotation import rotate_all
from tests.support.due import make_due
from tests.support.people import PASSWORD
from tests.support.waiting import wait_for
from webhooks.models import Attempt, Delivery, WebhookSecret

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def keys(settings):
    """Two encryption keys: the installation's own and a newer one."""
    old, new = settings.LEADWIRE_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    return old, new


@pytest.fixture
def lost():
    return override_settings(LEADWIRE_ENCRYPTION_KEYS=[Fernet.generate_key().decode()])


def test_after_a_rotation_the_old_key_is_not_needed(keys, plumbing, webhook_at, dana, api, key_of, lead_at, capsys):
    secrets = webhook_at(plumbing, "http://127.0.0.1:9/hook")
    Authenticator.objects.create(user=dana, type="totp", data={"secret": MFAAdapter().encrypt("JBSWY3DP")})
    key, lead = key_of(plumbing), lead_at(plumbing)
    answer = api.reply(key, lead, headers={"Idempotency_Key": "k"})
    old, new = keys
    with override_settings(LEADWIRE_ENCRYPTION_KEYS=[new, old]):
        call_command("rotate_encryption")
        assert "4 secrets are encrypted with the newest key" in capsys.readouterr().out
    with override_settings(LEADWIRE_ENCRYPTION_KEYS=[new]):
        secret = WebhookSecret.objects.get()
        assert secret.header_secret.reveal() == secrets["Secret key"]
        assert secret.signing_secret.reveal() == secrets["Signing secret"]
        assert MFAAdapter().decrypt(Authenticator.objects.get().data["secret"]) == "JBSWY3DP"
        assert api.reply(key, lead, headers={"Idempotency_Key": "k"}).json() == answer.json()


def test_what_cannot_be_read_is_left_and_counted(keys, plumbing, webhook_at, lost, capsys):
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    before = WebhookSecret.objects.values().get()
    with lost:
        done = rotate_all()
        assert (done.rotated, done.unreadable) == (0, 2)
        with pytest.raises(SystemExit):
            call_command("rotate_encryption")
        assert "2 cannot be read" in capsys.readouterr().err
    assert WebhookSecret.objects.values().get() == before


def test_with_the_key_lost_a_delivery_waits_and_says_why(worker, receiver, plumbing, webhook_at, lead_at, lost):
    webhook_at(plumbing, receiver.url)
    with lost:
        lead_at(plumbing)
        attempt = wait_for(Attempt.objects.first)
        assert attempt.error == "None of LEADWIRE_ENCRYPTION_KEYS can read this secret."
        assert not receiver.requests
    wait_for(lambda: Delivery.objects.filter(claim=None).first())  # it is kept
    make_due()
    receiver.wait(1)  # the key is back


def test_with_the_key_lost_pages_say_so(plumbing, webhook_at, dana, client, lost):
    client.post("/accounts/login/", {"login": "dana@example.com", "password": PASSWORD})
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    tab = f"/sources/{plumbing.public_id}/messaging/integrations/"
    with lost:
        assert client.get(tab).status_code == 200
        asked = client.get(f"{tab}rest-webhook/secrets/")["Location"]
        shown = client.post(asked, {"password": PASSWORD}, follow=True)
    page = html.unescape(shown.content.decode())
    assert "None of LEADWIRE_ENCRYPTION_KEYS can read this secret." in page


def test_with_the_key_lost_a_repeated_call_is_not_done_again(plumbing, key_of, lead_at, api, lost):
    key, lead = key_of(plumbing), lead_at(plumbing)
    assert api.reply(key, lead, headers={"Idempotency_Key": "k"}).status_code == 201
    with lost:
        again = api.reply(key, lead, headers={"Idempotency_Key": "k"})
    assert (again.status_code, again.json()["code"]) == (409, "idempotency.unreadable")
    assert Message.objects.filter(direction="outbound").count() == 1
