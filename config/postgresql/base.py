"""Connections that stay open for as long as their thread, and whose statements have their values apart from them."""

from __future__ import annotations

import select
from collections.abc import Sequence

from django.db.backends.postgresql import base, operations

VALUES_MAX = 65_535  # of one statement: the protocol counts them in two bytes


class DatabaseOperations(operations.DatabaseOperations):
    def bulk_batch_size(self, fields: Sequence[object], objs: Sequence[object]) -> int:
        """Return how many rows one statement may insert."""
        return max(1, VALUES_MAX // max(1, len(fields)))


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations

    def is_usable(self) -> bool:
        """Return whether the server is still at the other end. This asks the socket, and costs no round trip.

        A server that stops, or ends this session, sends a last message before it hangs up. Nothing else is sent on a
        connection that waits for no answer, but for a changed setting, and then a new connection is right too.
        """
        if self.connection is None or self.connection.closed:
            return False
        socket = select.poll()
        socket.register(self.connection.fileno(), select.POLLIN)
        return not socket.poll(0)
