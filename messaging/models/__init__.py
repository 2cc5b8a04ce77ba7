from messaging.models.connections import ChannelConnection
from messaging.models.dispatches import Dispatch
from messaging.models.inbound import InboundMail

__all__ = ["ChannelConnection", "Dispatch", "InboundMail"]
