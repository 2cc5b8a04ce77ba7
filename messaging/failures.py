"""How messages and calls fail."""

from __future__ import annotations


class NotSent(Exception):
    """A message did not reach its provider: is it worth another try, and what does a person read?

    `is_unknown`: the provider may have taken it all the same. `retry_after`: seconds that the provider asks for.
    `has_opted_out`: the provider sends nothing more to this address, because its owner said STOP there.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        is_permanent: bool,
        is_unknown: bool = False,
        retry_after: float | None = None,
        has_opted_out: bool = False,
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.is_permanent, self.is_unknown = code, detail, is_permanent, is_unknown
        self.retry_after, self.has_opted_out = retry_after, has_opted_out


UNKNOWN = "channel.unknown"  # the code of what may have been sent


def may_have_been_sent(because: str) -> NotSent:
    """The failure of a message that nobody may send again by itself: the lead could read it twice."""
    detail = f"{because}, so it may have been sent. Send it again only if it has not arrived."
    return NotSent(UNKNOWN, detail, is_permanent=True, is_unknown=True)


class NotNow(Exception):
    """Something that a call needs cannot be had right now. The job that reads it tries again."""


class NotUnderstood(Exception):
    """A provider's call is not what its contract says."""
