"""Large bodies: some at a time, and of one tenant fewer."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from config.web import uploads
from config.web.bodies import UPLOADS_AT_ONCE, UPLOADS_OF_ONE, Refused, UploadSlots
from messaging.services import disconnect
from tests.support.esp import connected


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


@pytest.mark.django_db
@pytest.mark.parametrize("ending", ["", "mime"])
def test_a_provider_of_mail_may_send_whole_mails_and_others_may_not(ending, plumbing, actor, sms, monkeypatch):
    monkeypatch.setattr(uploads, "close_old_connections", lambda: None)
    mailgun = connected("mailgun", plumbing, actor)

    def sender_of(token: str) -> str:
        return uploads.uploader({"REQUEST_METHOD": "POST", "PATH_INFO": f"/channels/{token}/{ending}"})

    assert sender_of(mailgun.callback_token) == f"calls of {plumbing.organization_id}"
    assert sender_of(sms.callback_token) == ""
    assert sender_of("0" * 26) == ""
    disconnect(connection=mailgun, actor=actor)
    assert sender_of(mailgun.callback_token) == ""
