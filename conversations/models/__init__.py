from conversations.models.attachments import Attachment
from conversations.models.changes import ConversationChange
from conversations.models.conversations import Conversation
from conversations.models.labels import Label
from conversations.models.messages import Message
from conversations.models.nonces import UsedNonce
from conversations.models.received_replies import Classification, ReceivedReply
from conversations.models.status_changes import StatusChange
from conversations.models.tags import Tag
from conversations.models.team_texts import TeamText
from conversations.models.templates import SentTemplate
from conversations.models.timing import OpeningHours, UnansweredRule

__all__ = [
    "Attachment",
    "Classification",
    "Conversation",
    "ConversationChange",
    "Label",
    "Message",
    "OpeningHours",
    "ReceivedReply",
    "SentTemplate",
    "StatusChange",
    "Tag",
    "TeamText",
    "UnansweredRule",
    "UsedNonce",
]
