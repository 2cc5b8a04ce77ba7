"""What is particular to one channel: one file for each, one line here."""

from conversations.channels.base import Channel, NotSent
from conversations.channels.email import Email
from conversations.channels.website import Website

CHANNELS: dict[str, Channel] = {channel.slug: channel for channel in (Email(), Website())}

__all__ = ["CHANNELS", "Channel", "NotSent"]
