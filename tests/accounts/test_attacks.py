"""Attacks on accounts: sign-in, invitations, second factors, sessions."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib import admin
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry, Membership
from tests.support.due import run_jobs
from tests.support.people import PASSWORD, log_in, person

pytestmark = pytest.mark.django_db


def test_nobody_changes_their_address_by_themselves(eve):
    client = log_in(eve)
    for path in ("/accounts/email/", "/accounts/signup/"):
        assert client.get(path).status_code == 404
        assert client.post(path, {"email": "boss@northside.example", "action_add": ""}).status_code == 404


def test_the_admin_asks_for_our_login_with_its_second_factor(client, dana):
    answer = client.get("/admin/login/?next=/admin/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


def test_the_admins_own_login_takes_no_password(dana_client, eve):
    """Whoever is logged in could be an operator there whose second factor was never asked for."""
    eve.is_staff = eve.is_superuser = True
    eve.save()
    credentials = {"username": eve.email, "password": PASSWORD, "next": "/admin/"}
    assert dana_client.post("/admin/login/", credentials).status_code == 403
    assert dana_client.get("/admin/").status_code in (302, 403)
    anonymous = Client()
    assert anonymous.post("/admin/login/", credentials)["Location"].startswith("/accounts/login/")
    assert "_auth_user_id" not in anonymous.session
    assert log_in(eve).get("/admin/login/")["Location"] == "/admin/"


def test_a_link_to_choose_a_password_is_at_our_own_address(client, dana, mailoutbox):
    client.post("/accounts/password/reset/", {"email": dana.email}, headers={"Host": "localhost:9999"})
    run_jobs()
    assert "http://localhost:8000/accounts/password/choose/" in mailoutbox[0].body
    assert "localhost:9999/accounts" not in mailoutbox[0].body


def test_a_stranger_gets_no_mail(client, dana, mailoutbox):
    client.post("/accounts/password/reset/", {"email": "stranger@x.example"})
    run_jobs()
    assert mailoutbox == []


def test_who_was_invited_can_turn_the_second_factor_on(dana_client, client, mailoutbox):
    dana_client.post("/settings/members/", {"email": "vera@x.example", "role": "viewer"})
    run_jobs()
    _choose_a_password(client, mailoutbox[0].body)
    assert client.get("/inbox/").status_code == 200  # logged in, where the work is
    assert not EmailAddress.objects.filter(verified=False).exists()  # one would forbid the second factor
    assert "verified your email" not in client.get("/accounts/2fa/totp/activate/", follow=True).content.decode()


def test_a_reset_that_somebody_else_asks_for_changes_nothing(client, dana, mailoutbox):
    Client().post("/accounts/password/reset/", {"email": dana.email})
    assert not EmailAddress.objects.exists()
    assert log_in(dana).get("/accounts/2fa/totp/activate/", follow=True).status_code == 200


def _choose_a_password(client, body: str) -> None:
    link = re.search(r"http://[^/]+(/accounts/password/choose/\S+)", body)
    assert link
    page = client.get(link[1], follow=True)
    where = page.redirect_chain[-1][0]
    chosen = "another battery staple horse"
    assert client.post(where, {"password1": chosen, "password2": chosen}).status_code == 302


def test_the_admin_shows_no_second_factors(client, dana):
    dana.is_staff = dana.is_superuser = True
    dana.save()
    assert log_in(dana).get("/admin/mfa/authenticator/").status_code == 404


def test_who_has_a_login_is_asked_before_they_are_a_member(dana_client, northside, eve, mailoutbox):
    dana_client.post("/settings/members/", {"email": eve.email, "role": "agent"})
    run_jobs()
    offered = Membership.objects.get(user=eve, organization=northside)
    page = dana_client.get("/settings/members/").content.decode()
    assert "Invited" in page
    assert "<b>Eve</b>" not in page, "the name is another organization's"
    assert "/settings/account/" in mailoutbox[0].body
    client = log_in(eve)
    choose = {"organization": str(northside.pk)}
    assert client.post("/settings/organization/", choose).status_code == 404
    assert "Northside invites you" in client.get("/settings/account/").content.decode()
    path = reverse("accounts:invitation", args=[offered.pk])
    assert dana_client.post(path).status_code == 404, "nobody says yes for somebody else"
    client.post(path)
    assert client.post("/settings/organization/", choose).status_code == 302


def test_what_an_operator_changes_in_the_admin_is_audited(dana, northside, eve):
    dana.is_staff = dana.is_superuser = True
    dana.save()
    client = log_in(dana)
    fields = {"user": str(eve.pk), "organization": str(northside.pk), "role": "agent"}
    assert client.post("/admin/accounts/membership/add/", fields).status_code == 302
    source = {"name": "From the admin", "kind": "business", "organization": str(northside.pk), "time_zone": "UTC"}
    answer = client.post("/admin/accounts/source/add/", source)
    assert answer.status_code == 302, answer.content
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"admin.member", "admin.source"} <= actions


def test_every_admin_page_opens(dana, plumbing):
    dana.is_staff = dana.is_superuser = True
    dana.save()
    client = log_in(dana)
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert client.get(path).status_code == 200, path
        assert client.get(f"{path}?q=x").status_code == 200, path


def test_second_factors_are_encrypted(dana):
    TOTP.activate(dana, "JBSWY3DPEHPK3PXP")
    assert "JBSWY3DPEHPK3PXP" not in json.dumps(Authenticator.objects.get().data)


def test_guessing_a_password_is_slow(client, dana):
    def attempt(password):
        return client.post("/accounts/login/", {"login": dana.email, "password": password})

    for number in range(11):
        attempt(f"wrong {number}")
    assert attempt(PASSWORD).status_code != 302


def _guess(email: str, times: int, **more: Any) -> None:
    for number in range(times):
        where = {"REMOTE_ADDR": f"198.51.100.{number}", "HTTP_HOST": f"localhost:{8000 + number}", **more}
        Client().post("/accounts/login/", {"login": email, "password": f"wrong {number}"}, **where)


def _may_log_in(client: Client, email: str, **more: Any) -> bool:
    answer = client.post("/accounts/login/", {"login": email, "password": PASSWORD}, **more)
    return answer.status_code == 302


def test_another_port_in_the_address_is_no_way_around_the_limit(dana):
    _guess(dana.email, 6)
    assert not _may_log_in(Client(), dana.email, REMOTE_ADDR="203.0.113.9", HTTP_HOST="localhost:9999")


def test_strangers_who_guess_do_not_shut_a_known_browser_out(dana, eve):
    known = Client()
    assert _may_log_in(known, dana.email)
    known.post("/accounts/logout/")
    _guess(dana.email, 6)
    assert _may_log_in(known, dana.email)
    known.post("/accounts/logout/")
    _guess(eve.email, 6)
    assert not _may_log_in(known, eve.email), "it is known for one person, not for all"
    copied = Client()
    copied.cookies["device"] = known.cookies["device"].value[:-1] + "x"
    assert not _may_log_in(copied, dana.email)


def test_a_known_browser_has_a_limit_of_its_own(dana):
    known = Client()
    assert _may_log_in(known, dana.email)
    known.post("/accounts/logout/")
    for number in range(6):
        known.post("/accounts/login/", {"login": dana.email, "password": f"wrong {number}"})
    assert not _may_log_in(known, dana.email)


def test_strangers_who_guess_do_not_shut_out_who_has_a_second_factor(dana):
    TOTP.activate(dana, "JBSWY3DPEHPK3PXP")
    _guess(dana.email, 6)
    client = Client()
    assert _may_log_in(client, dana.email, REMOTE_ADDR="203.0.113.9")
    assert "_auth_user_id" not in client.session, "the second factor is still to come"


def test_many_live_counters_do_not_drive_each_other_out(dana):
    _guess(dana.email, 6)
    for number in range(400):
        cache.set(f"other-{number}", [1.0], 300)
    assert not _may_log_in(Client(), dana.email, REMOTE_ADDR="203.0.113.9")


def test_a_wrong_address_and_a_wrong_password_read_alike(client, dana):
    pages = [
        client.post("/accounts/login/", {"login": login, "password": "wrong"}).content.decode()
        for login in (dana.email, "nobody@example.com")
    ]

    assert "The email address and/or password you specified are not correct." in pages[0]
    stripped = [re.sub(r'value="[^"]*"', "", page) for page in pages]
    assert stripped[0] == stripped[1]


def test_a_limited_owner_cannot_lift_their_own_limit(northside, dana, plumbing):
    limited = person("olaf", northside, "owner", plumbing)
    membership = Membership.objects.get(user=limited)
    path = reverse("accounts:member", args=[membership.pk])
    assert log_in(limited).post(path, {"role": "owner"}).status_code == 403
    membership.refresh_from_db()
    assert membership.is_limited


def test_the_last_owner_stays(dana, dana_client):
    membership = Membership.objects.get(user=dana)
    path = reverse("accounts:member", args=[membership.pk])
    dana_client.post(path, {"remove": "1"})
    dana_client.post(path, {"role": "viewer"})
    membership.refresh_from_db()
    assert (membership.role, membership.removed_at) == ("owner", None)


def test_an_invited_person_chooses_a_password_by_mail(dana_client, mailoutbox, client):
    dana_client.post("/settings/members/", {"email": "new@example.com", "name": "New", "role": "agent"})
    run_jobs()
    [mail] = mailoutbox
    assert mail.to == ["new@example.com"]
    assert "/accounts/password/choose/" in mail.body
