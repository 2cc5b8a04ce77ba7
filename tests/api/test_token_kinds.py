"""Staff, app and directory tokens: whose rights they carry, for whom they call, how their keys change."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, Membership, User
from accounts.services import members
from api.models import ApiToken
from api.services import make_directory_token, make_token, rotate_token
from core.ids import encode
from leads.models import Lead
from tests.support.people import PASSWORD, log_in, person
from webhooks.models import Delivery, Subscription
from webhooks.services.subscriptions import subscribe

pytestmark = pytest.mark.django_db
EVERYTHING = list(ApiToken.Scope.values)


def staff_key(actor, membership: Membership, scopes=EVERYTHING) -> str:
    return make_token(creator=membership, actor=actor, name="Mine", scopes=scopes, kind=ApiToken.Kind.STAFF)[1]


@pytest.fixture
def directory(actor, northside, harbor) -> str:
    return make_directory_token(actor=actor, name="HQ", scopes=EVERYTHING, organizations=[northside, harbor])[1]


# --- staff ---


def test_a_staff_token_may_what_its_member_may_and_no_more(api, northside, plumbing, actor, lead_at):
    viewer = Membership.objects.get(user=person("vic", northside, "viewer"))
    key = staff_key(actor, viewer)
    assert key.startswith("lws_")
    lead = lead_at(plumbing)
    assert api.get("whoami", key).json()["scopes"] == sorted(
        [
            "leads:read",
            "conversations:read",
            "replies:read",
            "sources:read",
            "jobs:read",
            "channels:read",
            "reports:read",
        ]
    )
    assert api.get(f"leads/{lead.public_id}", key).status_code == 200
    refused = api.create_lead(key)
    assert (refused.status_code, refused.json()["code"]) == (403, "token.scopeMissing")
    members.change(membership=viewer, actor=actor, role="agent", sources=[])
    assert api.create_lead(key).status_code == 201
    assert api.get("webhooks", key).status_code == 403


def test_a_staff_token_is_cut_down_to_its_scopes(api, dana, actor, plumbing):
    key = staff_key(actor, Membership.objects.get(user=dana), ["leads:read"])
    assert api.get("whoami", key).json()["scopes"] == ["leads:read"]
    assert api.create_lead(key).status_code == 403


def test_a_staff_token_sees_its_members_sources_and_stops_with_them(
    api, northside, plumbing, eastgate, westgate, actor, lead_at
):
    mia = Membership.objects.get(user=person("mia", northside, "agent", eastgate))
    key = staff_key(actor, mia)
    hidden, seen = lead_at(westgate), lead_at(eastgate)
    assert api.get(f"leads/{hidden.public_id}", key).status_code == 404
    assert api.get(f"leads/{seen.public_id}", key).status_code == 200
    members.remove(membership=mia, actor=actor)
    assert api.get("whoami", key).status_code == 401


@pytest.mark.parametrize("make", ["staff", "app"])
def test_tokens_of_somebody_who_was_deactivated_stop(api, dana, actor, token, make):
    key = staff_key(actor, Membership.objects.get(user=dana)) if make == "staff" else token
    assert api.get("whoami", key).status_code == 200
    dana.is_active = False
    dana.save()
    assert api.get("whoami", key).status_code == 401


def test_webhooks_of_somebody_who_was_deactivated_hear_of_nothing(northside, eastgate, dana, actor, lead_at):
    creator = Membership.objects.get(user=person("mel", northside, "manager"))
    subscribe(creator=creator, actor=actor, name="x", url="https://hook.example/", event_types=["lead.created"])
    lead_at(eastgate)
    assert Delivery.objects.count() == 1
    creator.user.is_active = False
    creator.user.save()
    lead_at(eastgate, "bob@example.net")
    assert Delivery.objects.count() == 1
    assert Subscription.objects.get().is_orphaned


def test_tokens_of_one_member_share_one_limit(api, settings, dana, actor):
    settings.LEADWIRE_CALLS_PER_MINUTE = 3
    keys = [staff_key(actor, Membership.objects.get(user=dana)) for _ in range(2)]
    assert [api.get("whoami", keys[number % 2]).status_code for number in range(4)] == [200, 200, 200, 429]


def test_anybody_makes_a_token_of_their_own_and_only_who_may_configure_one_of_an_app(northside, plumbing):
    viewer = log_in(person("vic", northside, "viewer"))
    page = viewer.get("/settings/tokens/").content.decode()
    assert "leads:write" not in page
    assert "An application" not in page
    asked = {"name": "Script", "kind": "app", "scopes": ["leads:read"]}
    assert viewer.post("/settings/tokens/", asked).status_code == 403
    assert not ApiToken.objects.exists()
    made = viewer.post("/settings/tokens/", {**asked, "kind": "staff", "expires": "30"}).content.decode()
    assert "lws_" in made
    token = ApiToken.objects.get()
    assert token.expires_at
    assert timedelta(days=29) < token.expires_at - timezone.now() < timedelta(days=31)
    assert "Script" not in log_in(person("ann", northside, "agent")).get("/settings/tokens/").content.decode()


# --- directory ---


def test_a_directory_token_must_say_for_whom_it_calls(api, directory, northside, plumbing, dental):
    missing = api.get("whoami", directory)
    assert (missing.status_code, missing.json()["code"]) == (400, "organization.required")
    for named, organization in (
        (encode("org", northside.pk), "Northside"),
        (plumbing.public_id, "Northside"),
        ("north", "Northside"),
        (dental.public_id, "Harbor Dental"),
    ):
        answer = api.get("whoami", directory, X_On_Behalf_Of=named)
        assert answer.status_code == 200, named
        assert answer.json()["organization"]["name"] == organization
        assert answer.json()["kind"] == "directory"


def test_a_directory_token_reaches_no_other_organization(api, actor, northside, dental, directory):
    only = make_directory_token(actor=actor, name="One", scopes=EVERYTHING, organizations=[northside])[1]
    for named in (encode("org", dental.organization_id), dental.public_id, "nowhere", "org_nothing", "src_nothing"):
        answer = api.get("leads", only, X_On_Behalf_Of=named)
        assert answer.status_code == 404, named
        assert answer.json()["code"] in ("organization.notFound", "source.notFound")


def test_a_named_source_is_where_leads_go_and_all_that_is_seen(
    api, directory, plumbing, eastgate, dental, lead_at, westgate
):
    elsewhere = lead_at(dental)
    created = api.create_lead(directory, headers={"X-On-Behalf-Of": eastgate.public_id}).json()
    assert api.get(f"leads/{created['uid']}", directory, X_On_Behalf_Of="north").json()["data"]["lead"][
        "source_id"
    ] == (eastgate.public_id)
    assert api.get(f"leads/{created['uid']}", directory, X_On_Behalf_Of=westgate.public_id).status_code == 404
    assert api.get(f"leads/{elsewhere.public_id}", directory, X_On_Behalf_Of="north").status_code == 404


def test_header_and_body_that_disagree_are_400(api, directory, eastgate, westgate):
    answer = api.create_lead(directory, business_id=westgate.public_id, headers={"X-On-Behalf-Of": eastgate.public_id})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "#/business_id"


@pytest.mark.parametrize("field", ["business_id", "source_id"])
def test_an_organization_in_the_header_and_a_source_elsewhere_disagree(
    api, directory, northside, plumbing, dental, field
):
    headers = {"X-On-Behalf-Of": encode("org", northside.pk)}
    elsewhere = api.create_lead(directory, **{field: dental.public_id}, headers=headers)
    unknown = api.create_lead(directory, **{field: "src_01k00000000000000000000001"}, headers=headers)
    for answer in (elsewhere, unknown):  # both read alike: nobody learns which sources exist
        assert answer.status_code == 400
        problem = answer.json()["errors"][0]
        assert (problem["pointer"], problem["code"]) == (f"#/{field}", "conflict")
    assert not Lead.objects.exists()


def test_a_business_in_the_header_leaves_the_choice_of_its_location_to_the_body(api, directory, plumbing, eastgate):
    headers = {"X-On-Behalf-Of": plumbing.public_id}
    answer = api.create_lead(directory, business_id=eastgate.public_id, headers=headers)
    assert answer.status_code == 201
    assert Lead.objects.get().source == eastgate


def test_an_external_id_that_two_organizations_use_is_ambiguous(api, directory, plumbing, dental):
    dental.external_id = "north"
    dental.save()
    answer = api.get("whoami", directory, X_On_Behalf_Of="north")
    assert (answer.status_code, answer.json()["code"]) == (400, "organization.ambiguous")


def test_one_idempotency_key_for_two_organizations_is_two_effects(api, directory, plumbing, dental):
    both = [
        api.create_lead(directory, headers={"X-On-Behalf-Of": one.public_id, "Idempotency-Key": "same"})
        for one in (plumbing, dental)
    ]
    assert [answer.status_code for answer in both] == [201, 201]
    assert both[0].json()["uid"] != both[1].json()["uid"]


def test_an_app_token_may_name_its_own_organization_or_source_and_no_other(api, token, northside, plumbing, dental):
    assert api.get("whoami", token, X_On_Behalf_Of=encode("org", northside.pk)).status_code == 200
    assert api.get("whoami", token, X_On_Behalf_Of="north").status_code == 200
    for named in (encode("org", dental.organization_id), dental.public_id):
        assert api.get("whoami", token, X_On_Behalf_Of=named).status_code == 404


def test_an_operator_makes_one_in_the_admin_and_sees_its_key_once(northside, harbor):
    operator = User.objects.create_superuser("op@example.com", PASSWORD, name="Op")
    client: Client = log_in(operator)
    chosen = {"name": "HQ", "organizations": [str(northside.pk), str(harbor.pk)], "scopes": ["leads:read"]}
    page = client.post("/admin/api/apitoken/add/", {**chosen, "expires_at_0": "", "expires_at_1": ""}, follow=True)
    token = ApiToken.objects.get()
    assert token.kind == "directory"
    assert set(token.organizations.all()) == {northside, harbor}
    assert "lwd_" in page.content.decode()
    assert AuditEntry.objects.filter(action="token.make").count() == 2
    assert "lwd_" not in client.get(f"/admin/api/apitoken/{token.pk}/change/").content.decode().replace(str(token), "")


# --- keys ---


def test_a_rotated_key_works_beside_the_new_one_until_its_overlap_ends(api, token, actor, dana_client):
    row = ApiToken.objects.get()
    fresh = rotate_token(token=row, actor=actor, overlap=timedelta(hours=1))
    assert [api.get("whoami", key).status_code for key in (token, fresh)] == [200, 200]
    assert "works until" in dana_client.get("/settings/tokens/").content.decode()
    ApiToken.objects.update(previous_ends_at=timezone.now() - timedelta(seconds=1))
    assert [api.get("whoami", key).status_code for key in (token, fresh)] == [401, 200]


def test_rotation_at_once_ends_the_old_key_and_one_in_overlap(api, token, actor):
    row = ApiToken.objects.get()
    second = rotate_token(token=row, actor=actor, overlap=timedelta(hours=1))
    third = rotate_token(token=row, actor=actor, overlap=None)
    assert [api.get("whoami", key).status_code for key in (token, second, third)] == [401, 401, 200]


def test_rotating_on_the_page_shows_the_new_key_once(token, dana_client, api):
    url = f"/settings/tokens/{encode('tok', ApiToken.objects.get().pk)}/rotate/"
    assert "The old key stops working now" in dana_client.get(url).content.decode()
    page = dana_client.post(url, {"overlap": "24h"}).content.decode()
    assert "lwa_" in page
    assert api.get("whoami", token).status_code == 200


def test_an_expired_token_is_401_and_says_so_on_the_page(api, token, dana_client):
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert api.get("whoami", token).status_code == 401
    assert "Expired" in dana_client.get("/settings/tokens/").content.decode()
