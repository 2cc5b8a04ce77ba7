"""Conversations by API and on the screen: list, assign, close, note, read."""

from __future__ import annotations

import pytest

from accounts.models import Membership
from api.models import ApiToken
from api.services import make_token
from conversations.models import Conversation, Message
from core.ids import encode
from tests.support.people import log_in, person

pytestmark = pytest.mark.django_db
SCOPES = ["conversations:write", "leads:read"]


@pytest.fixture
def key(dana, actor) -> str:
    return make_token(creator=Membership.objects.get(user=dana), actor=actor, name="Desk", scopes=SCOPES)[1]


@pytest.fixture
def thread(plumbing, lead_at) -> Conversation:
    lead_at(plumbing)
    return Conversation.objects.get()


def listed(api, key, query="") -> list[str]:
    return [
        conversation["id"] for conversation in api.get(f"conversations{query}", key).json()["data"]["conversations"]
    ]


def test_the_list_has_the_inboxs_filters(api, key, plumbing, westgate, lead_at, key_of, dana):
    waiting, answered, closed = (lead_at(plumbing, f"{name}@example.net") for name in ("a", "b", "c"))
    elsewhere = lead_at(westgate, "d@example.net")
    of = {lead.pk: Conversation.objects.get(lead=lead) for lead in (waiting, answered, closed, elsewhere)}
    api.reply(key_of(plumbing), answered)
    api.call("PATCH", f"conversations/{of[closed.pk].public_id}", key, {"status": "closed"})
    mine = {"assignee_id": encode("usr", dana.pk)}
    api.call("PATCH", f"conversations/{of[waiting.pk].public_id}", key, mine)
    ids = {lead.pk: of[lead.pk].public_id for lead in (waiting, answered, closed, elsewhere)}
    assert set(listed(api, key)) == set(ids.values())
    assert set(listed(api, key, "?state=waiting")) == {ids[waiting.pk], ids[elsewhere.pk]}
    assert listed(api, key, "?state=closed") == [ids[closed.pk]]
    assert listed(api, key, f"?source_id={westgate.public_id}") == [ids[elsewhere.pk]]
    assert listed(api, key, f"?assignee_id={encode('usr', dana.pk)}") == [ids[waiting.pk]]
    assert len(listed(api, key, "?assignee_id=none")) == 3
    assert listed(api, key, "?messaging_channel_id=email") == [ids[answered.pk]]
    assert api.get("conversations?assignee_id=dana", key).status_code == 400
    assert api.get("conversations?colour=red", key).status_code == 400


def test_pages_go_on_where_the_last_one_ended(api, key, plumbing, lead_at):
    for number in range(5):
        lead_at(plumbing, f"{number}@example.net")
    seen, cursor = [], ""
    while True:
        answer = api.get(f"conversations?limit=2{cursor}", key).json()
        seen += [conversation["id"] for conversation in answer["data"]["conversations"]]
        if not answer["meta"]["next_cursor"]:
            break
        cursor = f"&cursor={answer['meta']['next_cursor']}"
    assert len(seen) == len(set(seen)) == 5


def test_open_close_assign_note_and_read(api, key, thread, dana, northside):
    path = f"conversations/{thread.public_id}"
    ann = person("ann", northside, "agent")
    assigned = api.call("PATCH", path, key, {"assignee_id": encode("usr", ann.pk)}).json()["data"]["conversation"]
    assert assigned["assignee"] == {"id": encode("usr", ann.pk), "name": "Ann"}
    assert api.call("PATCH", path, key, {"assignee_id": None}).json()["data"]["conversation"]["assignee"] is None
    assert api.call("PATCH", path, key, {"status": "closed"}).json()["data"]["conversation"]["status"] == "closed"
    assert api.call("PATCH", path, key, {"status": "open"}).json()["data"]["conversation"]["status"] == "open"
    assert api.call("PATCH", path, key, {"status": "paused"}).status_code == 400
    note = api.post(f"{path}/notes", key, {"content": "Call back on Monday"})
    assert note.status_code == 201
    assert note.json()["data"]["message"]["kind"] == "note"
    contents = [message["content"] for message in api.get(path, key).json()["data"]["conversation"]["messages"]]
    assert contents == ["My tap leaks."], "a note is nobody's message"
    Conversation.objects.update(unread_at=thread.created_at)
    assert listed(api, key, "?unread=true") == [thread.public_id]
    assert api.post(f"{path}/read", key).status_code == 204
    assert listed(api, key, "?unread=true") == []


def test_only_who_may_answer_there_is_given_a_conversation(api, key, thread, northside, eastgate, eve):
    for who in (person("vic", northside, "viewer"), person("mia", northside, "agent", eastgate), eve):
        body = {"assignee_id": encode("usr", who.pk)}
        refused = api.call("PATCH", f"conversations/{thread.public_id}", key, body)
        assert refused.status_code == 400, who
        assert refused.json()["errors"][0]["pointer"] == "#/assignee_id"


def test_a_staff_token_closes_in_its_members_name_and_a_viewers_may_not(api, thread, northside, actor):
    ann = Membership.objects.get(user=person("ann", northside, "agent"))
    theirs = make_token(creator=ann, actor=actor, name="A", scopes=SCOPES, kind=ApiToken.Kind.STAFF)[1]
    api.call("PATCH", f"conversations/{thread.public_id}", theirs, {"status": "closed"})
    assert Conversation.objects.get().closed_by == ann.user
    vic = Membership.objects.get(user=person("vic", northside, "viewer"))
    reading = make_token(creator=vic, actor=actor, name="V", scopes=SCOPES, kind=ApiToken.Kind.STAFF)[1]
    assert api.get(f"conversations/{thread.public_id}", reading).status_code == 200
    assert api.call("PATCH", f"conversations/{thread.public_id}", reading, {"status": "open"}).status_code == 403


def test_a_sources_key_has_no_inbox(api, key_of, plumbing, thread):
    theirs = key_of(plumbing)
    for method, path, body in (
        ("GET", "conversations", None),
        ("GET", f"conversations/{thread.public_id}", None),
        ("PATCH", f"conversations/{thread.public_id}", {"status": "closed"}),
        ("POST", f"conversations/{thread.public_id}/notes", {"content": "x"}),
    ):
        assert api.call(method, path, theirs, body).status_code == 403, (method, path)


def test_the_screen_assigns_and_notes_too(dana_client, thread, northside, dana):
    ann = person("ann", northside, "agent")
    url = f"/inbox/{thread.public_id}/"
    assert f'value="{encode("usr", ann.pk)}"' in dana_client.get(url).content.decode()
    assert dana_client.post(f"{url}assign/", {"assignee": encode("usr", ann.pk)}).status_code == 302
    assert Conversation.objects.get().assignee == ann
    assert thread.title in log_in(ann).get("/inbox/?mine=1").content.decode()
    assert thread.title not in dana_client.get("/inbox/?mine=1").content.decode()
    dana_client.post(f"{url}assign/", {"assignee": ""})
    assert Conversation.objects.get().assignee is None
    outsider = person("vic", northside, "viewer")
    assert dana_client.post(f"{url}assign/", {"assignee": encode("usr", outsider.pk)}).status_code == 404
    assert dana_client.post(f"{url}notes/", {"content": "Call back"}).status_code == 302
    note = Message.objects.get(kind="note")
    assert (note.author_user, note.content) == (dana, "Call back")


PARITY = {  # what the team's screens do with conversations and leads -> the API's operation that does it
    "attachment": "download_attachment",
    "bulk": "update_conversation",
    "conversation": "get_conversation",
    "conversation-assign": "update_conversation",
    "conversation-close": "update_conversation",
    "conversation-hand-over": "update_conversation",
    "conversation-snooze": "update_conversation",
    "conversation-tag": "update_conversation",
    "import": "get_background_job",
    "import-errors": "list_import_errors",
    "imports": "import_leads",
    "inbox": "list_conversations",
    "lead": "get_lead",
    "lead-consent": "create_opt_out",
    "leads": "list_leads",
    "message-retry": "retry_message",
    "note-create": "create_note",
    "reply-classify": "classify_reply",
    "reply-create": "send_reply",
    "source": "get_source",
    "source-archive": "archive_source",
    "source-create": "create_source",
    "source-edit": "update_source",
    "sources": "list_sources",
    "timing": "get_source_timing",
    "hours-save": "update_source_timing",
    "rule-save": "update_source_timing",
    "template-use": "send_reply",
}
ONLY_FOR_PEOPLE = {
    "attachment-item",
    "attachment-preview",
    "file-by-link",
    "upload-by-link",
    "home",
    "form",
    "form-thanks",
    "trial",
    "trial-start",
    "message-mail",
    "message-html",
    "automatic-mails",
    "automatic-mail",
    "bulk-undo",
    "changes",  # for open pages; programs have the feed
    "rows",
    "thread",
    "conversation-unread",  # what a person has read is theirs
    "saved-replies",  # texts for the composer; programs have their own
    "saved-reply",
    "saved-reply-create",
    "saved-reply-delete",
    "saved-reply-use",
    "view-create",
    "views",
    "view-delete",
    "unsubscribe",  # the lead's own
    "consent",  # of addresses, whether or not a lead has them; the API blocks and allows by lead
    "consent-lift",
    "consent-table",
}


def test_what_the_screen_can_do_the_api_can_do():
    """A new page of the team must say which operation does the same, or why none does."""
    from drf_spectacular.generators import SchemaGenerator

    from conversations import urls as conversations
    from inbox import urls as inbox
    from leads import urls as leads
    from sources import urls as sources

    schema = SchemaGenerator().get_schema(request=None, public=True)
    operations = {one["operationId"] for path in schema["paths"].values() for one in path.values()}
    pages = {pattern.name for urls in (conversations, inbox, leads, sources) for pattern in urls.urlpatterns}
    assert pages - ONLY_FOR_PEOPLE == set(PARITY)
    assert set(PARITY.values()) <= operations
