"""The files in a raw mail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesParser

from core.mime.bounds import BoundedHeaders, with_few_parts, with_line_feeds
from core.mime.files import file_content, file_name, file_parts
from messaging.files.kinds import content_type_of, safe_name


@dataclass(frozen=True)
class MailFile:
    """A file in a mail. Its place among them is the same each time the mail is read."""

    name: str
    content_type: str
    size: int  # bytes


def files_in(raw: bytes) -> Iterator[tuple[MailFile, bytes]]:
    """Yield the files of a raw mail with their bytes. The parsers may take long: see `reader_process.py`."""
    raw = with_few_parts(raw)
    # Line ends are those of its texts too, so they are changed only where the parser does not know them.
    mail = BytesParser(policy=BoundedHeaders()).parsebytes(raw if b"\n" in raw else with_line_feeds(raw))
    for part in file_parts(mail):
        content, name = file_content(part), safe_name(file_name(part))
        yield MailFile(name, content_type_of(content, name), len(content)), content
