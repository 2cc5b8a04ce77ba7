import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from config.celery import send_hints_briefly
from config.checks import refuse_unsafe
from messaging.mailbox.watching import Watcher


class Command(BaseCommand):
    help = "Watch the mailboxes that businesses connected, and keep what arrives there."

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_unsafe()
        send_hints_briefly()  # each mail is read at once, and not when a worker next looks by itself
        asyncio.run(self._watch())

    async def _watch(self) -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        self.stdout.write("watching mailboxes")
        await Watcher().run(stopping)
