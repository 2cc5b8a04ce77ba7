"""Large bodies: some at a time, and of one tenant fewer."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from config.web.bodies import UPLOADS_AT_ONCE, UPLOADS_OF_ONE, Refused, UploadSlots


def test_one_tenant_cannot_take_them_all():
    slots = UploadSlots()
    with ExitStack() as held:
        for _ in range(UPLOADS_OF_ONE):
            held.enter_context(slots.taken("greedy"))
        with pytest.raises(Refused), slots.taken("greedy"):
            pass
        with slots.taken("other"):
            pass
    with slots.taken("greedy"):
        assert slots.taken_by == {"greedy": 1}
    assert not slots.taken_by


def test_all_together_have_a_bound():
    slots = UploadSlots()
    with ExitStack() as held:
        for number in range(UPLOADS_AT_ONCE):
            held.enter_context(slots.taken(str(number)))
        with pytest.raises(Refused), slots.taken("late"):
            pass
