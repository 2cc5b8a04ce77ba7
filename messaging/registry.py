"""The channels, and who provides them: what is particular to a provider is one folder, and one line here."""

from datetime import timedelta

from messaging.base import Channel, Provider
from messaging.email.sending import InstallationMail
from messaging.esp.mailgun import Mailgun
from messaging.esp.postmark import Postmark
from messaging.esp.sendgrid import SendGrid
from messaging.esp.ses import Ses
from messaging.failures import NotSent
from messaging.mailbox.provider import Mailbox
from messaging.meta.provider import Meta
from messaging.oauth.providers import GoogleMailbox, MicrosoftMailbox
from messaging.twilio.provider import Twilio
from messaging.website import WebsiteForm

MB = 1024 * 1024
# Mail programs take 25 MB, of which base64 takes a third. Twilio takes 5 MB: https://www.twilio.com/docs/messaging/guides/accepted-mime-types
# In the order in which one is chosen for an answer when nothing else says which.
CHANNELS: dict[str, Channel] = {
    channel.slug: channel
    for channel in (
        Channel("email", "Email", 10_000, "email", is_mail=True, files_max=10, file_bytes_max=18 * MB),
        Channel("sms", "SMS", 1_600, "phone", files_max=10, file_bytes_max=5 * MB),
        Channel(
            "whatsapp",
            "WhatsApp",
            4_096,
            "phone",
            files_max=1,
            file_bytes_max=25 * MB,
            max_length_with_file=1_024,
            window=timedelta(hours=24),
        ),
        Channel("website", "Website form"),
    )
}
PROVIDERS: dict[str, Provider] = {
    provider.slug: provider
    for provider in (
        InstallationMail(),
        WebsiteForm(),
        GoogleMailbox(),
        MicrosoftMailbox(),
        Mailbox(),
        Postmark(),
        Mailgun(),
        SendGrid(),
        Ses(),
        Twilio(),
        Meta(),
    )
}

__all__ = ["CHANNELS", "PROVIDERS", "Channel", "NotSent", "Provider"]
