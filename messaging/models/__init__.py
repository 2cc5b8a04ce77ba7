from messaging.models.calls import InboundCall
from messaging.models.connections import ChannelConnection, SourceConnection, UsableConnection
from messaging.models.dispatches import Dispatch
from messaging.models.esp import MailgunAccount, PostmarkAccount, SendGridAccount, SesAccount
from messaging.models.inbound import InboundMail
from messaging.models.mail_settings import MailSettings
from messaging.models.mailboxes import GoogleAccount, MailboxAccount, MailFolder, MicrosoftAccount
from messaging.models.meta import MetaAccount
from messaging.models.pace import Pace, PaceHour, PairPace
from messaging.models.templates import MessageTemplate
from messaging.models.twilio import TwilioAccount

__all__ = [
    "ChannelConnection",
    "Dispatch",
    "GoogleAccount",
    "InboundCall",
    "InboundMail",
    "MailFolder",
    "MailSettings",
    "MailboxAccount",
    "MailgunAccount",
    "MessageTemplate",
    "MetaAccount",
    "MicrosoftAccount",
    "Pace",
    "PaceHour",
    "PairPace",
    "PostmarkAccount",
    "SendGridAccount",
    "SesAccount",
    "SourceConnection",
    "TwilioAccount",
    "UsableConnection",
]
