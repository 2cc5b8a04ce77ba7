"""The channels, and who provides them: what is particular to a provider is one folder, and one line here."""

from datetime import timedelta

from messaging.base import Channel, NotSent, Provider
from messaging.email.sending import InstallationMail
from messaging.mailbox.provider import Mailbox
from messaging.meta.provider import Meta
from messaging.twilio.provider import Twilio
from messaging.website import WebsiteForm

# In the order in which one is chosen for an answer when nothing else says which.
CHANNELS: dict[str, Channel] = {
    channel.slug: channel
    for channel in (
        Channel("email", "Email", max_length=10_000, address="email", is_mail=True),
        Channel("sms", "SMS", max_length=1_600, address="phone"),
        Channel("whatsapp", "WhatsApp", max_length=4_096, address="phone", window=timedelta(hours=24)),
        Channel("website", "Website form"),
    )
}
PROVIDERS: dict[str, Provider] = {
    provider.slug: provider for provider in (InstallationMail(), WebsiteForm(), Mailbox(), Twilio(), Meta())
}

__all__ = ["CHANNELS", "PROVIDERS", "Channel", "NotSent", "Provider"]
