"""What every channel can say and do."""

from __future__ import annotations

from typing import ClassVar

from conversations.models import Message


class NotSent(Exception):
    """A message did not reach its provider: is it worth another try, and what does a person read?

    `is_unknown`: the provider may have taken it all the same.
    """

    def __init__(self, code: str, detail: str, *, is_permanent: bool, is_unknown: bool = False) -> None:
        super().__init__(detail)
        self.code, self.detail, self.is_permanent, self.is_unknown = code, detail, is_permanent, is_unknown


class Channel:
    """A way to a lead."""

    slug: ClassVar[str]
    label: ClassVar[str]
    max_length: ClassVar[int | None] = None  # characters; None: it only receives

    def send(self, message: Message) -> None:
        """Hand the message to the provider. Raise NotSent."""
        raise NotSent("channel.unavailable", f"{self.label} only receives.", is_permanent=True)
