"""Any two operations of the outbox at the same moment: no row is forgotten, no wake is lost, nothing deadlocks.

`python -m bench.interleavings` runs a hundred thousand of these.
"""

from __future__ import annotations

import itertools
import random

import pytest

from bench.interleaving import World, pairs

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_pair_of_operations_leaves_nothing_behind():
    random.seed(7)
    world = World()
    every = len(world.operations) * (len(world.operations) + 1) // 2
    problems = []
    for first, second in itertools.islice(pairs(world), every * 3):
        problems += world.interleave(first, second)
    world.close()
    assert problems == []
