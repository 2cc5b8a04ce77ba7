"""Mails that are meant to keep us busy."""

from __future__ import annotations

import os
import signal
import time

import pytest

from messaging.email import reader_process as reading_apart
from messaging.email.reader_process import Reader
from messaging.email.reading import read

HEAD = b"From: Ava <ava@example.net>\r\nSubject: hi\r\nMIME-Version: 1.0\r\n"
SECONDS = 5.0  # by processor time; a hundred times what they take. What is quadratic takes minutes


def part(header: bytes, body: bytes = b"It leaks.") -> bytes:
    return (
        HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + header + b"\r\n\r\n" + body + b"\r\n--b--"
    )


def nested(depth: int) -> bytes:
    heads = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return HEAD + heads + b"\r\nIt leaks.\r\n" + b"\n" * 500_000


FOLDED = b'Content-Type: text/plain; a="' + b";\r\n " * 60_000 + b'"'
HOSTILE = {
    "parameters in a part": part(FOLDED),
    "parameters in the head": HEAD + FOLDED + b"\r\n\r\nIt leaks.",
    "a million parameters": part(b"Content-Type: text/plain" + b"; a=b" * 180_000),
    "a disposition": part(b"Content-Disposition: attachment" + b'; filename*0="' * 60_000),
    "punycode": part(b"Content-Type: text/plain; charset=punycode", b"a-" + b"b9" * 400_000),
    "idna": part(b"Content-Type: text/plain; charset=idna", b"xn--" + b"a" * 800_000),
    "escapes": part(b"Content-Type: text/plain; charset=unicode_escape", b"\\N{SPACE}" * 90_000),
    "a charset that is none": part(b"Content-Type: text/plain; charset=base64", b"eA==" * 200_000),
    "nested parts": nested(2_000),
    "nested messages": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 30_000,
    "many parts": HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 80_000,
    "empty lines": HEAD + b"\r\n" + b"\n" * 990_000,
    "old line ends": HEAD + b"\r\n" + b"\r" * 990_000,
    "many headers": HEAD + b"Subject: x\r\n" * 80_000 + b"\r\nIt leaks.",
    "encoded words": HEAD + b"Subject: " + b"=?a?q?" * 160_000 + b"\r\n\r\nIt leaks.",
    "addresses": b"From: " + b"(" * 500_000 + b"<a@" * 100_000 + b"\r\n\r\nIt leaks.",
    "references": HEAD + b"References: " + b"<" * 900_000 + b"\r\n\r\nIt leaks.",
    "open tags": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<style" * 100_000,
    "open attributes": HEAD + b"Content-Type: text/html\r\n\r\n<a " + b"a='" * 200_000,
    "declarations": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<![a[" * 100_000,
    "comments": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<!--" * 200_000,
    "entities": HEAD + b"Content-Type: text/html\r\n\r\n" + b"&#" * 300_000,
    "quotes": HEAD + b"\r\n" + b"On > " * 190_000,
    "heads of quotes": HEAD + b"\r\n" + b"From: " + b"@" * 900_000,
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=list(HOSTILE))
def test_no_mail_takes_long(raw):
    began = time.process_time()
    mail = read(raw)
    assert time.process_time() - began < SECONDS
    assert mail.header_id


def test_the_words_of_a_mail_that_means_harm_are_kept():
    assert read(part(b'Content-Type: text/plain; a="' + b";\r\n " * 15_000 + b'"')).reply_text == "It leaks."
    assert read(HEAD + b"\r\n" + b"\n" * 25_000 + b"It leaks.").reply_text == "It leaks."
    assert read(HOSTILE["many headers"]).sender == "ava@example.net"


@pytest.fixture
def apart():
    reader = Reader()
    yield reader
    reader.stop()


def test_mails_are_read_in_one_process_after_the_other(apart):
    first = apart.read(HEAD + b"\r\nOne").reply_text
    pid = apart.child.pid
    assert (first, apart.read(HEAD + b"\r\nTwo").reply_text, apart.child.pid) == ("One", "Two", pid)
    assert pid != os.getpid()


def test_a_mail_that_takes_too_long_is_shown_as_text_and_the_next_is_read(apart, monkeypatch):
    apart.read(HEAD + b"\r\nOne")  # the process starts in its own time
    monkeypatch.setattr(reading_apart, "READ_SECONDS", 0.5)
    os.kill(apart.child.pid, signal.SIGSTOP)  # as one that never ends
    slow = apart.read(HEAD + b"\r\nThis one never ends")
    assert (slow.reply_text, slow.sender, slow.subject, slow.is_understood) == (
        "This one never ends",
        "ava@example.net",
        "hi",
        False,
    )
    monkeypatch.undo()
    assert apart.read(HEAD + b"\r\nThree").is_understood


def test_a_mail_that_ends_the_process_is_shown_as_text(apart):
    apart.read(HEAD + b"\r\nOne")
    apart.child.kill()
    apart.child.wait()
    assert apart.read(HEAD + b"\r\nTwo").reply_text == "Two"
