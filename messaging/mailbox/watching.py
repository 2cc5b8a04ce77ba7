"""Watch all mailboxes: one task of an event loop for each, which costs no thread while nothing happens.

The client of the library blocks, so a thread works while there is something to do. While the server has only to say
that something has come (IDLE, RFC 2177), the loop waits for the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.db.models.functions import Coalesce, Now

from messaging.accounts import account_of
from messaging.failures import NotSent
from messaging.mailbox.fetching import MovedOn, TooManyWaiting, read_new
from messaging.mailbox.inbox import Failure, Inbox, in_words
from messaging.mailbox.places import for_reading
from messaging.models import ChannelConnection, GoogleAccount, MailboxAccount, MailFolder, MicrosoftAccount

logger = logging.getLogger(__name__)
T = TypeVar("T")

THREADS, THREADS_OF_ONE = 32, 8  # in all, and for the mailboxes of one organization
LOOK_SECONDS = 5.0  # for mailboxes that were connected, changed or disconnected
IDLE_SECONDS = 540.0  # then IDLE is renewed: servers and routers forget who says nothing
POLL_SECONDS = 60.0  # where a server has no IDLE
WAIT_SECONDS = 1.0  # for those who read mails
AGAIN_SECONDS = (5.0, 15.0, 60.0, 300.0, 900.0)  # after failures, one after the other


class Watcher:
    """All mailboxes of the installation. Two of them do no harm: each mail is kept by one of them."""

    def __init__(self) -> None:
        self.tasks: dict[tuple[int, datetime], asyncio.Task[None]] = {}
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="mailbox")
        self.shares: defaultdict[UUID, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(THREADS_OF_ONE))

    async def run(self, stopping: asyncio.Event) -> None:
        """Watch until `stopping` is set."""
        while not stopping.is_set():
            try:
                await self._follow_changes()
            except DatabaseError as error:
                logger.warning("mailboxes: the database is not available: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        self.threads.shutdown(wait=True, cancel_futures=True)

    async def _follow_changes(self) -> None:
        wanted = await self._in_thread(_mailboxes)
        for key in [key for key in self.tasks if key not in wanted]:
            self.tasks.pop(key).cancel()
        for key, organization_id in wanted.items():
            if key not in self.tasks or self.tasks[key].done():
                self.tasks[key] = asyncio.create_task(self._watch(key[0], organization_id))

    async def _watch(self, connection_id: int, organization_id: UUID) -> None:
        """Watch one mailbox, and connect again whenever that ends."""
        failures = 0
        while True:
            watch = _Watch(self, connection_id, self.shares[organization_id])
            try:
                await watch.run()
            except (*Failure, NotSent, UnicodeError) as error:
                failures = 0 if watch.has_read else failures
                trouble = error if isinstance(error, NotSent) else in_words(error)
                logger.info("mailbox %s: %s", connection_id, trouble.detail)
                await self._in_thread(_note_trouble, connection_id, trouble.detail)
            except (MovedOn, DatabaseError) as error:
                logger.info("mailbox %s: %s", connection_id, error or "another process reads it too")
            except Exception:
                logger.exception("mailbox %s", connection_id)
            finally:
                watch.hang_up()
            await asyncio.sleep(AGAIN_SECONDS[min(failures, len(AGAIN_SECONDS) - 1)])
            failures += 1

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.threads, _with_database, work, *arguments)


class _Watch:
    """One connection to a mailbox, until it ends."""

    def __init__(self, watcher: Watcher, connection_id: int, share: asyncio.Semaphore) -> None:
        self.watcher, self.connection_id, self.share = watcher, connection_id, share
        self.inbox: Inbox | None = None
        self.has_read = False

    async def run(self) -> None:
        inbox = await self._work(self._connect)
        while True:
            try:
                await self._work(self._read, inbox)
                self.has_read = True
            except TooManyWaiting:
                await asyncio.sleep(WAIT_SECONDS)
                continue
            await self._wait_for_more(inbox)

    async def _wait_for_more(self, inbox: Inbox) -> None:
        if not await self._work(inbox.has_capability, "IDLE"):  # it may ask the server, which may not answer
            await asyncio.sleep(POLL_SECONDS)
            await self._work(inbox.noop)
            return
        if not await self._work(_begin_idle, inbox):
            await _readable(inbox.socket(), IDLE_SECONDS)
        await self._work(inbox.idle_done)

    async def _work(self, work: Callable[..., T], *arguments: Any) -> T:
        async with self.share:
            return await self.watcher._in_thread(work, *arguments)

    def _connect(self) -> Inbox:
        connection = ChannelConnection.objects.get(pk=self.connection_id)
        place = for_reading(account_of(connection))
        if place is None:
            raise NotSent("channel.failed", "There is no server for reading.", is_permanent=False)
        self.inbox = Inbox(place)
        return self.inbox

    def _read(self, inbox: Inbox) -> None:
        read_new(inbox, ChannelConnection.objects.get(pk=self.connection_id))

    def hang_up(self) -> None:
        """A thread that waits for its server ends, too."""
        if self.inbox:
            self.inbox.hang_up()


def _mailboxes() -> dict[tuple[int, datetime], UUID]:
    """The mailboxes that are watched, each with the time of its last change, and whose they are."""
    wanted: dict[tuple[int, datetime], UUID] = {}
    for accounts in (MailboxAccount.objects.exclude(imap_host=""), GoogleAccount.objects, MicrosoftAccount.objects):
        rows = accounts.filter(
            connection__disconnected_at=None, connection__removed_at=None, connection__source__archived_at=None
        )
        for pk, changed_at, organization in rows.values_list("pk", "changed_at", "connection__organization_id"):
            wanted[pk, changed_at] = organization
    return wanted


def _note_trouble(connection_id: int, detail: str) -> None:
    MailFolder.objects.get_or_create(connection_id=connection_id)
    MailFolder.objects.filter(pk=connection_id).update(
        failing_since=Coalesce("failing_since", Now()), last_error=detail[:300]
    )


def _begin_idle(inbox: Inbox) -> bool:
    """Ask to be told. True when there is something already: it came along with the answer."""
    inbox.idle()
    return bool(inbox.idle_check(timeout=0))


async def _readable(connected: socket.socket, seconds: float) -> None:
    """Wait until the server says something, or for so long."""
    loop, said, number = asyncio.get_running_loop(), asyncio.Event(), connected.fileno()
    loop.add_reader(number, said.set)
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(said.wait(), seconds)
    finally:
        loop.remove_reader(number)


def _with_database(work: Callable[..., T], *arguments: Any) -> T:
    close_old_connections()
    try:
        return work(*arguments)
    finally:
        close_old_connections()
