"""Settings of sources, the Integrations tab, deliveries, and settings of the organization."""

from django.urls import path

from core import converters  # noqa: F401  makes <src:...> and its like known
from integrations.views import agents, calls, cards, deliveries, locations, replays, settings, sources, webhooks

app_name = "integrations"
WEBHOOK = "settings/webhooks/<wh:webhook_id>/"
TAB = "sources/<src:source_id>/messaging/integrations/"
urlpatterns = [
    path("sources/new/", sources.source_create, name="source-create"),
    path("sources/<src:source_id>/edit/", sources.source_edit, name="source-edit"),
    path("sources/<src:source_id>/archive/", sources.source_archive, name="source-archive"),
    path("sources/<src:source_id>/messaging/channels/", sources.channels, name="channels"),
    path(
        "sources/<src:source_id>/messaging/channels/<int:connection_id>/",
        sources.channel_connect,
        name="channel-connect",
    ),
    path(TAB, cards.integrations, name="integrations"),
    path(f"{TAB}rest-webhook/health/", deliveries.health, name="health"),
    path(f"{TAB}rest-webhook/replays/", replays.replays, name="replays"),
    path(f"{TAB}rest-webhook/replays/<job:job_id>/", replays.replay, name="replay"),
    path(f"{TAB}<slug:slug>/locations/", locations.locations, name="locations"),
    path(f"{TAB}<slug:slug>/", cards.card, name="card"),
    path(f"{TAB}<slug:slug>/set-up/", cards.card_set_up, name="card-set-up"),
    path(f"{TAB}<slug:slug>/enabled/", cards.card_switch, name="card-switch"),
    path(f"{TAB}<slug:slug>/inherits/", cards.card_inherits, name="card-inherits"),
    path(f"{TAB}<slug:slug>/options/", cards.card_options, name="card-options"),
    path(f"{TAB}<slug:slug>/settings/", cards.card_settings, name="card-settings"),
    path(f"{TAB}<slug:slug>/check/", cards.card_check, name="card-check"),
    path(f"{TAB}<slug:slug>/regenerate/", cards.card_regenerate, name="card-regenerate"),
    path(f"{TAB}<slug:slug>/overlap/", cards.card_end_overlap, name="card-end-overlap"),
    path(f"{TAB}<slug:slug>/disconnect/", cards.card_disconnect, name="card-disconnect"),
    path(f"{TAB}<slug:slug>/secrets/", cards.card_secrets, name="card-secrets"),
    path("deliveries/<dlv:delivery_id>/verify/", deliveries.delivery_verify, name="delivery-verify"),
    path("deliveries/<dlv:delivery_id>/again/", deliveries.delivery_again, name="delivery-again"),
    path("deliveries/<dlv:delivery_id>/", deliveries.delivery, name="delivery"),
    path("deliveries/<dlv:delivery_id>/retry/", deliveries.delivery_retry, name="delivery-retry"),
    path("activity/calls/", calls.calls, name="calls"),
    path("activity/calls/<call:call_id>/", deliveries.api_call, name="api-call"),
    path("activity/", deliveries.activity, name="activity"),
    path("settings/members/", settings.members_page, name="members"),
    path("settings/members/<mem:member_id>/", settings.member, name="member"),
    path("settings/tokens/", settings.tokens_page, name="tokens"),
    path("settings/tokens/<tok:token_id>/revoke/", settings.token_revoke, name="token-revoke"),
    path("settings/tokens/<tok:token_id>/rotate/", settings.token_rotate, name="token-rotate"),
    path("settings/tokens/<tok:token_id>/take-over/", settings.token_take_over, name="token-take-over"),
    path("settings/agents/", agents.connect, name="connect"),
    path("settings/webhooks/", webhooks.webhooks, name="webhooks"),
    path("settings/webhooks/new/", webhooks.webhook_create, name="webhook-create"),
    path(WEBHOOK, webhooks.webhook, name="webhook"),
    path(f"{WEBHOOK}edit/", webhooks.webhook_edit, name="webhook-edit"),
    path(f"{WEBHOOK}enabled/", webhooks.webhook_switch, name="webhook-switch"),
    path(f"{WEBHOOK}test/", webhooks.webhook_test, name="webhook-test"),
    path(f"{WEBHOOK}take-over/", webhooks.webhook_take_over, name="webhook-take-over"),
    path(f"{WEBHOOK}rotate/", webhooks.webhook_rotate, name="webhook-rotate"),
    path(f"{WEBHOOK}delete/", webhooks.webhook_delete, name="webhook-delete"),
    path(f"{WEBHOOK}secret/", webhooks.webhook_secret, name="webhook-secret"),
    path(f"{WEBHOOK}replays/", replays.webhook_replays, name="webhook-replays"),
    path(f"{WEBHOOK}replays/<job:job_id>/", replays.webhook_replay, name="webhook-replay"),
    path("settings/invitations/<mem:member_id>/", settings.invitation, name="invitation"),
    path("settings/account/", settings.account, name="account"),
    path("settings/account/time-zone/", settings.zone, name="zone"),
    path("settings/audit/", settings.audit, name="audit"),
    path("settings/organization/", settings.switch_organization, name="switch-organization"),
]
