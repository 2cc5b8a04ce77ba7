"""The state of a connection, in words."""

from __future__ import annotations

from dataclasses import dataclass

from messaging.accounts import account_row
from messaging.models import ChannelConnection
from messaging.registry import PROVIDERS


@dataclass(frozen=True)
class State:
    """A mark (ok, warn, bad, off), its words, and what to do about it."""

    mark: str
    words: str
    advice: str = ""

    @property
    def is_settled(self) -> bool:
        """False while the page should look again by itself."""
        return self.words not in (WAITING, READING)


WAITING, READING = "Waiting for the first message", "Looking into the mailbox for the first time"


def _state_of_mailbox(connection: ChannelConnection) -> State:
    """Of a mailbox: green once its inbox has been read, or at once where it only sends."""
    folder = getattr(connection, "folder", None)
    if not (PROVIDERS[connection.provider].needs_consent or account_row(connection).imap_host):
        return State("ok", "Connected, for sending only")
    if folder and folder.failing_since:
        return State("bad", "Not reading", folder.last_error)
    return State("ok", "Connected") if folder and folder.is_watched else State("warn", READING)


def state_of(connection: ChannelConnection) -> State:
    """Return the state of a connection whose lane is loaded."""
    check, lane = connection.last_check or {}, connection.lane
    if not connection.is_connected:
        detail = check["detail"] if check and not check["ok"] else "Enter the credentials to connect it again."
        return State("off", "Disconnected", detail)
    if lane.failing_since:
        return State("bad", "Failing", lane.last_error)
    if check and not check["ok"]:
        return State("bad", "Not working", check["detail"])
    if not PROVIDERS[connection.provider].is_called:
        return _state_of_mailbox(connection)
    if connection.last_inbound_at is None:
        return State("warn", WAITING, "")
    return State("ok", "Connected")
