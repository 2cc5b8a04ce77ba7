"""The state of a connection, in words."""

from __future__ import annotations

from dataclasses import dataclass

from messaging.models import ChannelConnection


@dataclass(frozen=True)
class State:
    """A mark (ok, warn, bad, off), its words, and what to do about it."""

    mark: str
    words: str
    advice: str = ""

    @property
    def is_settled(self) -> bool:
        """False while the page should look again by itself."""
        return self.words != WAITING


WAITING = "Waiting for the first message"


def state_of(connection: ChannelConnection) -> State:
    """Return the state of a connection whose lane is loaded."""
    check, lane = connection.last_check or {}, connection.lane
    if not connection.is_connected:
        return State("off", "Disconnected", "Enter the credentials to connect it again.")
    if lane.failing_since:
        return State("bad", "Failing", lane.last_error)
    if check and not check["ok"]:
        return State("bad", "Not working", check["detail"])
    if connection.last_inbound_at is None:
        return State("warn", WAITING, "")
    return State("ok", "Connected")
