from conversations.models.conversations import Conversation
from conversations.models.messages import Message
from conversations.models.nonces import UsedNonce

__all__ = ["Conversation", "Message", "UsedNonce"]
