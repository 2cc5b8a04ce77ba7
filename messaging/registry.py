"""What is particular to one channel: one file for each, one line here."""

from messaging.base import Channel, NotSent
from messaging.email.sending import Email
from messaging.website import Website

CHANNELS: dict[str, Channel] = {channel.slug: channel for channel in (Email(), Website())}

__all__ = ["CHANNELS", "Channel", "NotSent"]
