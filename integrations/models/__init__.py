from integrations.models.cards import Card, LeadReplyApi, RestWebhook
from integrations.models.channels import ChannelConnection
from integrations.models.feed import FeedEntry, FeedHead, Unsequenced
from integrations.models.jobs import Job, Replay
from integrations.models.keys import ApiToken, ReplyKey, WebhookSecret
from integrations.models.letters import Letter
from integrations.models.listening import Listener
from integrations.models.log import ApiCall, Attempt, CallWindow, Event, IdempotencyKey, OnceUsed, RateWindow
from integrations.models.outbox import Clock, Delivery, Dispatch, Lane, Pace, Work
from integrations.models.sources import Source, SourceAccess
from integrations.models.subscriptions import Subscription, SubscriptionSecret
from integrations.models.tally import Tally

__all__ = [
    "ApiCall",
    "ApiToken",
    "Attempt",
    "CallWindow",
    "Card",
    "ChannelConnection",
    "Clock",
    "Delivery",
    "Dispatch",
    "Event",
    "FeedEntry",
    "FeedHead",
    "IdempotencyKey",
    "Job",
    "Lane",
    "LeadReplyApi",
    "Letter",
    "Listener",
    "OnceUsed",
    "Pace",
    "RateWindow",
    "Replay",
    "ReplyKey",
    "RestWebhook",
    "Source",
    "SourceAccess",
    "Subscription",
    "SubscriptionSecret",
    "Tally",
    "Unsequenced",
    "WebhookSecret",
    "Work",
]
