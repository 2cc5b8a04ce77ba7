"""Ids: in the order in which they were made, whoever makes them."""

from __future__ import annotations

import os
import threading
import uuid

from core.ids import decode, encode, uuid7


def test_ids_of_one_process_are_in_their_order():
    ids = [uuid7() for _ in range(20_000)]  # hundreds in a millisecond
    assert ids == sorted(ids)
    assert {(one.version, one.variant) for one in ids} == {(7, uuid.RFC_4122)}
    assert ids[0] == decode("lead", encode("lead", ids[0]))


def test_threads_make_no_id_twice():
    ids: list[uuid.UUID] = []
    threads = [threading.Thread(target=lambda: ids.extend([uuid7() for _ in range(5_000)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 20_000


def test_a_forked_process_makes_ids_of_its_own():
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, uuid7().bytes)
        os._exit(0)
    assert os.read(reading, 16) != uuid7().bytes
    assert os.waitpid(child, 0)[1] == 0
    os.close(reading)
    os.close(writing)
