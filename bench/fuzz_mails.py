"""Mails that nobody would write: none may take a second to read, whatever it contains.

    python -m bench.fuzz_mails [--minutes 10] [--folder a folder of real mails] [--seed 1]

Mails are put together of what parsers look for, some of it many thousand times, and of pieces of real mails. What
takes over a second, or raises, is written to a file and ends the run; such a mail becomes a case in
tests/messaging/test_mail_reader.py.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from messaging.email.reading import read

SECONDS_MAX = 1.0  # of processor time
SIZE_MAX = 1_200_000  # bytes
PIECES = [
    b"From: ", b"Subject: ", b"Content-Type: ", b"Content-Disposition: ", b"Content-Transfer-Encoding: ", b"References: ",
    b"In-Reply-To: ", b"Reply-To: ", b"Message-ID: ", b"Auto-Submitted: ", b"multipart/mixed; boundary=b", b"text/plain",
    b"text/html; charset=utf-8", b"message/rfc822", b"message/delivery-status", b"multipart/report; report-type=delivery-status",
    b"; charset=", b"punycode", b"idna", b"utf-7", b"utf-16", b"hz", b"iso-2022-jp", b"unicode_escape", b"rot13", b"base64",
    b"quoted-printable", b"uuencode", b"x-uue", b"begin 644 x\r\n", b"=?utf-8?q?", b"=?utf-8?b?", b"?=", b"=\r\n", b"=3D",
    b"--b\r\n", b"--b--\r\n", b"\r\n", b"\n", b"\r", b"\r\n ", b"\r\n\t", b"\r\n\r\n", b";", b'"', b"'", b"(", b")", b"<", b">",
    b"@", b",", b":", b"\\", b"a", b" ", b"=", b"&", b"&#", b"&#x", b"&amp", b"<a ", b"<a href='", b"<!--", b"-->", b"<![CDATA[",
    b"<?", b"<style", b"</style>", b"<head>", b"<body>", b"<script>", b"<blockquote>", b"<div>", b"<p", b"</", b"/>", b"<br>",
    b"On ", b" wrote:", b"> ", b"From: a@b", b"-- \r\n", b"-----Original Message-----", b"________________", b"a@b.example",
    "ü".encode(), b"\xff", b"\x00", b"\xed\xa0\x80", "漢".encode(), b"filename*0*=", b"name*=utf-8''", b"%E2%80", b"1" * 40,
]  # fmt: skip


def made_up(dice: random.Random) -> bytes:
    """A mail of pieces; each of a few comes up to many thousand times."""
    mail = bytearray()
    for _ in range(dice.randint(3, 40)):
        piece = b"".join(dice.choices(PIECES, k=dice.randint(1, 4)))
        times = dice.choice((1, 1, 1, 2, 5, 100, 5_000, 100_000))
        mail += piece * min(times, max(1, 600_000 // len(piece)))
        if len(mail) > SIZE_MAX:
            break
    return bytes(mail[:SIZE_MAX])


def changed(dice: random.Random, real: bytes) -> bytes:
    """A real mail with something cut out, doubled or put in."""
    mail = bytearray(real)
    for _ in range(dice.randint(1, 12)):
        start = dice.randrange(len(mail) + 1)
        end = min(len(mail), start + dice.choice((0, 1, 10, 1_000)))
        piece = bytes(mail[start:end]) or b"".join(dice.choices(PIECES, k=3))
        mail[start:end] = piece * dice.choice((0, 1, 2, 50, 20_000)) if len(mail) < SIZE_MAX else b""
    return bytes(mail[:SIZE_MAX])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument(
        "--folder", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data" / "dev" / "mails"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    real = [path.read_bytes() for path in sorted(options.folder.rglob("*.eml"))]
    count, slowest, end = 0, 0.0, time.monotonic() + options.minutes * 60
    while time.monotonic() < end:
        mail = changed(dice, dice.choice(real)) if real and dice.random() < 0.4 else made_up(dice)
        began = time.process_time()
        letter = read(mail)
        took = time.process_time() - began
        f"{letter}".encode()  # raises where something cannot be stored
        count, slowest = count + 1, max(slowest, took)
        if took > SECONDS_MAX or "\0" in f"{letter.reply_text}{letter.quoted_text}{letter.subject}{letter.sender_name}":
            path = Path(f"slow-mail-{options.seed}-{count}.eml")
            path.write_bytes(mail)
            sys.exit(f"{path}: {took:.2f} s for {len(mail)} bytes")
    print(
        f"{count} mails, made up or changed from {len(real)} real ones; the slowest took {slowest:.2f} s of processor time"
    )


if __name__ == "__main__":
    main()
