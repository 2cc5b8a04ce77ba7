from webhooks.models.cards import RestWebhook, WebhookSecret
from webhooks.models.deliveries import Attempt, Delivery
from webhooks.models.endpoints import Endpoint
from webhooks.models.events import Event
from webhooks.models.feed import FeedEntry, FeedHead, PendingFeedEntry
from webhooks.models.replays import Replay
from webhooks.models.subscriptions import Subscription, SubscriptionSecret

__all__ = [
    "Attempt",
    "Delivery",
    "Endpoint",
    "Event",
    "FeedEntry",
    "FeedHead",
    "PendingFeedEntry",
    "Replay",
    "RestWebhook",
    "Subscription",
    "SubscriptionSecret",
    "WebhookSecret",
]
