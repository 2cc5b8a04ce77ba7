"""The files in a raw mail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.mime.bounds import parsed, with_few_levels, with_line_feeds
from core.mime.files import file_content, file_name, file_parts
from messaging.files.kinds import content_type_of, safe_name

MAIL_MAX_BYTES = 25 * 1024 * 1024  # of one mail; of a longer one in a mailbox the beginning is read


@dataclass(frozen=True)
class MailFile:
    """A file in a mail. Its place among them is the same each time the mail is read."""

    name: str
    content_type: str
    size: int  # bytes
    is_whole: bool = True  # False: the mail was cut in it


def files_in(raw: bytes) -> Iterator[tuple[MailFile, bytes]]:
    """Yield the files of a raw mail with their bytes. The parsers may take long: see `reader_process.py`."""
    read = with_few_levels(raw)
    is_cut = len(read) < len(raw) or len(raw) >= MAIL_MAX_BYTES
    # Line ends are those of its texts too, so they are changed only where the parser does not know them.
    mail = parsed(read if b"\n" in read else with_line_feeds(read))
    parts = list(file_parts(mail))
    for part in parts:
        content, name = file_content(part), safe_name(file_name(part))
        is_whole = not (is_cut and part is parts[-1])
        yield MailFile(name, content_type_of(content, name), len(content), is_whole), content
