"""The REST Webhook card's own pages, webhooks of an organization, deliveries and replays."""

from django.urls import path

from core import converters  # noqa: F401  makes <wh:...> and its like known
from webhooks.views import cards, deliveries, replays, webhooks

app_name = "webhooks"
CARD = "sources/<src:source_id>/messaging/integrations/rest-webhook/"
WEBHOOK = "settings/webhooks/<wh:webhook_id>/"
urlpatterns = [
    path(f"{CARD}health/", deliveries.health, name="health"),
    path(f"{CARD}settings/", cards.card_settings, name="card-settings"),
    path(f"{CARD}secrets/", cards.card_secrets, name="card-secrets"),
    path(f"{CARD}replays/", replays.replays, name="replays"),
    path(f"{CARD}replays/<job:job_id>/", replays.replay, name="replay"),
    path("activity/", deliveries.activity, name="activity"),
    path("deliveries/<dlv:delivery_id>/", deliveries.delivery, name="delivery"),
    path("deliveries/<dlv:delivery_id>/verify/", deliveries.delivery_verify, name="delivery-verify"),
    path("deliveries/<dlv:delivery_id>/again/", deliveries.delivery_again, name="delivery-again"),
    path("deliveries/<dlv:delivery_id>/retry/", deliveries.delivery_retry, name="delivery-retry"),
    path("settings/webhooks/", webhooks.webhooks, name="webhooks"),
    path("settings/webhooks/new/", webhooks.webhook_create, name="webhook-create"),
    path(WEBHOOK, webhooks.webhook, name="webhook"),
    path(f"{WEBHOOK}edit/", webhooks.webhook_edit, name="webhook-edit"),
    path(f"{WEBHOOK}enabled/", webhooks.webhook_switch, name="webhook-switch"),
    path(f"{WEBHOOK}test/", webhooks.webhook_test, name="webhook-test"),
    path(f"{WEBHOOK}take-over/", webhooks.webhook_transfer, name="webhook-take-over"),
    path(f"{WEBHOOK}rotate/", webhooks.webhook_rotate, name="webhook-rotate"),
    path(f"{WEBHOOK}delete/", webhooks.webhook_delete, name="webhook-delete"),
    path(f"{WEBHOOK}secret/", webhooks.webhook_secret, name="webhook-secret"),
    path(f"{WEBHOOK}replays/", replays.webhook_replays, name="webhook-replays"),
    path(f"{WEBHOOK}replays/<job:job_id>/", replays.webhook_replay, name="webhook-replay"),
]
