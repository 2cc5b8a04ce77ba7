"""Publish events as the product does: each through `publish()`, in a transaction of its own, with its wake.

    python -m bench.publisher

A process of this kind reads how many events to publish from each line of its standard input, and answers each line
when they are committed. Deliveries are ordered by conversation and numbered for the feed, as those of every card are.
"""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType

from supervisor.stack import PYTHON, ROOT, Stack


class Publishers:
    """Some such processes, for as long as the block lasts."""

    def __init__(self, stack: Stack, count: int = 2) -> None:
        self.stack, self.count = stack, count
        self.processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Publishers:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        for number in range(self.count):
            command = [PYTHON, "-m", "bench.publisher", str(number), str(self.count)]
            self.processes.append(subprocess.Popen(command, cwd=ROOT, env=self.stack.env, **pipes))
        for process in self.processes:
            process.stdout.readline()  # it is ready
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            process.wait()

    def publish(self, count: int) -> None:
        """Publish so many events, in parallel, and return when all are committed."""
        self.begin(count)
        self.wait()

    def begin(self, count: int) -> None:
        """Publish so many events, and return at once."""
        parts = [count // self.count + (number < count % self.count) for number in range(self.count)]
        for process, part in zip(self.processes, parts, strict=True):
            process.stdin.write(f"{part}\n")
            process.stdin.flush()

    def wait(self) -> None:
        for process in self.processes:
            process.stdout.readline()


def main(number: int, count: int) -> None:
    from django.db import transaction

    from config import celery
    from conversations.models import Conversation, Message
    from conversations.services.events import draft_event
    from webhooks.event_types import EventType
    from webhooks.publishing import publish

    celery.send_hints_briefly()
    rows = Conversation.objects.select_related("source", "lead").order_by("pk")
    mine = [one for place, one in enumerate(rows) if place % count == number]  # nobody waits for another's conversation
    messages = {message.conversation_id: message for message in Message.objects.filter(direction="inbound")}
    next_one = 0
    print("ready", flush=True)
    for line in sys.stdin:
        for _ in range(int(line)):
            conversation = mine[next_one % len(mine)]
            next_one += 1
            with transaction.atomic():
                Conversation.objects.select_for_update(no_key=True).get(pk=conversation.pk)
                conversation.sequence += 1
                conversation.save(update_fields=["sequence"])
                lead, message = conversation.lead, messages[conversation.pk]
                publish(draft_event(EventType.MESSAGE_RECEIVED, conversation.source, lead, conversation, message))
        print("done", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
