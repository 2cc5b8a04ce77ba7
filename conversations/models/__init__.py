from conversations.models.conversations import Conversation
from conversations.models.messages import InboundMail, Message

__all__ = ["Conversation", "InboundMail", "Message"]
