from webhooks.models.cards import RestWebhook, WebhookSecret
from webhooks.models.deliveries import Attempt, Delivery
from webhooks.models.endpoints import Listener
from webhooks.models.events import Event
from webhooks.models.feed import FeedEntry, FeedHead, Unsequenced
from webhooks.models.replays import Replay
from webhooks.models.subscriptions import Subscription, SubscriptionSecret

__all__ = [
    "Attempt",
    "Delivery",
    "Event",
    "FeedEntry",
    "FeedHead",
    "Listener",
    "Replay",
    "RestWebhook",
    "Subscription",
    "SubscriptionSecret",
    "Unsequenced",
    "WebhookSecret",
]
