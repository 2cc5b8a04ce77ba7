"""Who wrote a mail, in whatever way their program says it, and that nobody's mail is out of sight."""

from __future__ import annotations

import base64

import pytest

from conversations.models import Message
from leads.models import Lead
from messaging.addresses import is_email
from messaging.email.reading import read
from messaging.models import InboundMail
from tests.support.mails import mail, message_of
from tests.support.waiting import wait_for
from webhooks.models import Event


def raw(*lines: str | bytes, body: str = "My tap leaks.") -> bytes:
    head = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return b"\r\n".join([*head, b"", body.encode(), b""])


def sender(*lines: str | bytes) -> tuple[str, str]:
    mail = read(raw(*lines))
    return mail.sender_name, mail.sender


ZOE = "Zoë Müller"


@pytest.mark.parametrize(
    "line",
    [
        f"From: {ZOE} <zoe@example.net>".encode(),
        f"From: {ZOE} <zoe@example.net>".encode("cp1252"),
        b"From: =?utf-8?B?" + base64.b64encode(ZOE.encode()) + b"?= <zoe@example.net>",
        b"From: =?UTF-8?q?Zo=C3=AB_M=C3=BCller?= <ZOE@example.net>",
        b"From: =?utf-8?q?Zo=C3=AB?= =?iso-8859-1?q?_M=FCller?= <zoe@example.net>",
        b"From: =?utf-8?B?" + base64.b64encode(f"{ZOE} <zoe@example.net>".encode()) + b"?=",
        f"From: {ZOE} zoe@example.net".encode(),
    ],
    ids=["UTF-8", "Windows", "base64", "quoted", "two charsets", "encoded whole", "without brackets"],
)
def test_a_name_is_read_however_it_is_written(line):
    assert sender(line) == (ZOE, "zoe@example.net")


def test_a_comma_in_an_encoded_name_is_no_second_person():
    assert sender("From: =?utf-8?q?M=C3=BCller=2C_Zo=C3=AB?= <zoe@example.net>") == ("Müller, Zoë", "zoe@example.net")


@pytest.mark.parametrize("address", ["zoe@müller.example", "zoë@example.net", "用户@例え.テスト"])
def test_addresses_beyond_ascii_are_taken(address):
    assert is_email(address)
    assert sender(f"From: Zoe <{address}>") == ("Zoe", address)


@pytest.mark.parametrize(
    "address",
    ["a@[10.0.0.5]", "a@localhost", '"a\x0bb"@x.example', "a b@x.example", "a\u202eb@x.example", "\ud800@x.example",
     "a@x.example\n", "ü" * 130 + "@x.example", "a@b@x.example", ""],
)  # fmt: skip
def test_what_no_mail_should_go_to_is_no_address(address):
    assert not is_email(address)


FORM = "Reply-To: Ava Brooks <ava@example.net>"


@pytest.mark.parametrize(
    "author",
    [
        "noreply@shop.example", "no-reply@shop.example", "do-not-reply@shop.example", "donotreply-7@shop.example",
        "wordpress@shop.example", "submissions@formspree.io", "x@forms.wufoo.com", "forms@shop.example",
    ],
)  # fmt: skip
def test_a_program_that_speaks_for_somebody_is_not_the_sender(author):
    assert sender(f"From: Website <{author}>", FORM) == ("Ava Brooks", "ava@example.net")


def test_a_persons_other_address_is_not_their_own():
    assert sender("From: Tom <tom@example.com>", FORM) == ("Tom", "tom@example.com")
    assert sender("From: Tom <noreply@example.com>") == ("Tom", "noreply@example.com")


def test_a_mail_through_a_group_is_of_who_wrote_it():
    through = "From: 'Ava Brooks' via Sales <sales@shop.example>"
    assert sender(through, "Reply-To: ava@example.net", "List-Id: <sales.shop.example>") == (
        "Ava Brooks",
        "ava@example.net",
    )


LISTS = [
    ("List-Id: <sales.shop.example>", "Precedence: list"),
    ("Precedence: bulk", "List-Post: <mailto:talk@lists.example>"),
]


@pytest.mark.parametrize("marks", LISTS, ids=["a group", "an old list"])
@pytest.mark.django_db
def test_who_writes_through_a_list_is_heard(receive, eastgate, address_of, marks):
    inbound = receive(address_of(eastgate), raw("From: Ava <ava@example.net>", "Message-ID: <l@x>", *marks))
    assert (inbound.outcome, Message.objects.get().content) == ("message", "My tap leaks.")


def test_a_newsletter_is_automatic():
    assert read(raw("From: News <a@x.example>", "Precedence: bulk", "List-Post: NO", "List-Id: <n.x>")).is_automatic
    assert read(raw("From: News <a@x.example>", "Precedence: bulk", "List-Id: <n.x>")).is_automatic


@pytest.mark.django_db
def test_a_form_services_people_are_people_of_their_own(receive, eastgate, address_of):
    for number, name in enumerate(("ava", "tom"), 1):
        lines = ("From: Form <noreply@formspree.io>", f"Reply-To: {name}@example.net", f"Message-ID: <{number}@x>")
        receive(address_of(eastgate), raw(*lines))
    assert set(Lead.objects.values_list("email", flat=True)) == {"ava@example.net", "tom@example.net"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"Subject: hello\r\n\r\nMy tap leaks.\r\n", "My tap leaks."),
        (b"My tap leaks.", "My tap leaks."),
        (b"", "(empty mail)"),
        (b"\0\xff\xfe", None),
        (b"From: Ava <ava@example.net>\r\n" + b"X: y\r\n" * 20_000 + b"\r\nMy tap leaks.", None),
        (b"From: Ava <ava@example.net>\r\nX: " + b"y" * 900_000 + b"\r\n\r\nMy tap leaks.", "My tap leaks."),
    ],
    ids=["nobody", "no head", "nothing", "no text", "a long head", "a long line"],
)
@pytest.mark.django_db
def test_whatever_we_said_yes_to_is_in_the_inbox(receive, eastgate, address_of, dana_client, content, expected):
    inbound = receive(address_of(eastgate), content)
    message = Message.objects.get()
    assert message_of(inbound) == message
    assert expected is None or message.content == expected
    assert message.lead.name in dana_client.get("/inbox/").content.decode()
    assert Event.objects.filter(type="lead.created").count() == 1


@pytest.mark.django_db
def test_a_mail_without_a_sender_is_of_who_handed_it_over(eastgate, address_of):
    from conversations.services.mail import read_mail
    from messaging.email.incoming import keep

    connection = address_of(eastgate)
    envelope = {"envelope_from": "Ava@Example.net", "envelope_to": connection.address}
    read_mail(keep(connection=connection, raw=raw("Subject: hello"), **envelope).pk)
    assert Lead.objects.get().email == "ava@example.net"


@pytest.mark.django_db
def test_automatic_mail_that_belongs_nowhere_can_be_seen(receive, eastgate, address_of, dana_client):
    letter = mail("Buy now!", sender="News <news@x.example>", Precedence="bulk", Subject="<b>Offers</b>")
    inbound = receive(address_of(eastgate), letter)
    assert (inbound.outcome, message_of(inbound), Lead.objects.count()) == ("automatic", None, 0)
    page = dana_client.get("/inbox/automatic-mail/").content.decode()
    assert "news@x.example" in page
    assert "&lt;b&gt;Offers" in page
    file = dana_client.get(f"/inbox/automatic-mail/{inbound.public_id}/")
    assert (file.content, file["Content-Type"]) == (letter, "message/rfc822")


@pytest.mark.django_db
def test_the_same_id_of_another_person_or_with_other_words_is_another_mail(receive, eastgate, address_of):
    for letter in (mail(), mail(sender="Tom <tom@example.net>"), mail("Other words")):
        assert receive(address_of(eastgate), letter).outcome == "message"
    assert receive(address_of(eastgate), mail()).outcome == "repeated"
    assert Message.objects.count() == 3


@pytest.mark.django_db
def test_old_mails_are_forgotten_and_their_messages_stay(receive, eastgate, address_of, settings):
    from datetime import timedelta

    from django.utils import timezone

    from core.ids import uuid7
    from messaging.email.forgetting import forget_mails

    settings.MAILS_KEPT_DAYS = 90
    old = receive(address_of(eastgate), mail())
    InboundMail.objects.filter(pk=old.pk).update(id=uuid7(timezone.now() - timedelta(days=91)))
    waiting = InboundMail.objects.create(
        id=uuid7(timezone.now() - timedelta(days=91)), connection=address_of(eastgate), raw=b"x"
    )
    fresh = receive(address_of(eastgate), mail("Other words"))
    assert forget_mails() == 1
    assert set(InboundMail.objects.all()) == {waiting, fresh}
    assert Message.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_answer_goes_to_the_very_address_that_wrote(worker, mail_server, api, key_of, eastgate, receive, address_of):
    receive(address_of(eastgate), raw("From: Zoë <zoë@müller.example>", "Subject: Tap", "Message-ID: <z@x>"))
    api.reply(key_of(eastgate), Lead.objects.get())
    mail_server.wait(1)
    assert mail_server.recipients == ["zoë@müller.example"]


@pytest.mark.django_db(transaction=True)
def test_a_server_that_takes_no_such_address_fails_the_message_with_the_reason(
    worker, mail_server, api, key_of, eastgate, receive, address_of, monkeypatch
):
    import smtplib

    monkeypatch.setattr(smtplib.SMTP, "has_extn", lambda self, name: False)
    receive(address_of(eastgate), raw("From: Zoë <zoë@example.net>", "Message-ID: <z@x>"))
    api.reply(key_of(eastgate), Lead.objects.get())
    failed = wait_for(lambda: Message.objects.filter(direction="outbound", status="failed").first())
    assert "beyond ASCII" in failed.error_detail
    assert mail_server.mails == []
