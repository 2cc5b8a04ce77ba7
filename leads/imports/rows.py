"""Read the rows of an import, one after the other, whatever the size of the file."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

from leads.models import LeadImport

ROWS_MAX = 100_000
ROW_MAX = 100_000  # characters of one row
ROW_LINES_MAX = 100  # of a row whose cells have line breaks
COLUMNS_MAX = 1_000
CHUNK = 64 * 1024
SAMPLE = 1_000_000  # bytes that say which characters these are


class Unreadable(Exception):
    """The file as a whole is not what it says it is."""


Row = dict[str, Any] | str  # an object, or what is wrong with this row


def read_rows(file: IO[bytes], file_format: str) -> Iterator[Row]:
    """Yield each row. Raise Unreadable where nothing can be read from here on.

    A byte that is no character becomes a lone surrogate, so that one row is refused for it and not the file.
    """
    encoding = _encoding(file)
    errors = "strict" if encoding == "utf-16" else "surrogateescape"
    text = io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="")
    try:
        if file_format == LeadImport.Format.CSV:
            yield from _csv(text)
        elif file_format == LeadImport.Format.NDJSON:
            yield from _lines(text)
        else:
            yield from _array(text)
    except UnicodeError as error:
        raise Unreadable("The file is neither UTF-8 nor UTF-16.") from error
    finally:
        text.detach()


def _encoding(file: IO[bytes]) -> str:
    """Return the encoding: UTF-8, or what spreadsheets also write, UTF-16 with its mark or Windows-1252 ("ANSI")."""
    start = file.tell()
    sample = file.read(SAMPLE)
    file.seek(start)
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    end = -3 if len(sample) == SAMPLE else None  # it may end within a character
    beyond = [c for c in sample.decode("utf-8", "surrogateescape")[:end] if ord(c) > 127]
    broken = sum("\udc80" <= c <= "\udcff" for c in beyond)
    return "cp1252" if broken > len(beyond) - broken else "utf-8-sig"


def _csv(text: IO[str]) -> Iterator[Row]:
    sample = text.readline(ROW_MAX)
    header, delimiter = max(((_cells([sample], sign), sign) for sign in ",;\t"), key=lambda found: len(found[0]))
    if not any(header):
        raise Unreadable("The first line has no names of columns.")
    if len(header) > COLUMNS_MAX:
        raise Unreadable(f"The file has more than {COLUMNS_MAX} columns.")
    if twice := next((name for name in header if name.strip() and header.count(name) > 1), ""):
        raise Unreadable(f"Two columns are called “{twice[:100]}”.")
    for cells in _records(text, delimiter):
        if isinstance(cells, str):
            yield cells
        elif not any(cell.strip() for cell in cells):
            continue
        elif len(cells) > len(header):
            yield f"It has {len(cells)} cells, and there are {len(header)} columns."
        else:
            yield dict(zip(header, cells, strict=False))


def _records(text: IO[str], delimiter: str) -> Iterator[list[str] | str]:
    """Yield the cells of each record, or what is wrong with it.

    A quote that is opened and never closed would take the rest of the file into one cell: then the line that opened it
    is refused, and the next one is read as a record of its own.
    """
    ahead: deque[str] = deque()

    def next_line() -> str:
        return ahead.popleft() if ahead else text.readline(ROW_MAX + 1)

    while first := next_line():
        lines = [first]
        while _is_open(lines, delimiter) and len(lines) < ROW_LINES_MAX and sum(map(len, lines)) <= ROW_MAX:
            if not (continuation := next_line()):
                break
            lines.append(continuation)
        if len(first) > ROW_MAX:
            while (rest := text.readline(ROW_MAX)) and not rest.endswith("\n"):
                pass
            yield f"A line has more than {ROW_MAX:,} characters."
        elif _is_open(lines, delimiter):
            ahead.extendleft(reversed(lines[1:]))
            yield 'A quote (") is opened and not closed.'
        else:
            yield _cells(lines, delimiter)


def _is_open(lines: list[str], delimiter: str) -> bool:
    """True when a quoted cell goes on behind these lines."""
    try:
        next(csv.reader(lines, delimiter=delimiter, strict=True), None)
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _cells(lines: list[str], delimiter: str) -> list[str]:
    try:
        return next(csv.reader(lines, delimiter=delimiter), [])
    except csv.Error as error:
        raise Unreadable(f"This is not CSV: {error}.") from error


def _lines(text: IO[str]) -> Iterator[Row]:
    while line := text.readline(ROW_MAX + 1):
        if len(line) > ROW_MAX:
            raise Unreadable(f"A line has more than {ROW_MAX} characters.")
        if line.strip():
            yield _parsed(line)


def _parsed(line: str) -> Row:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return "This is not JSON."
    return value if isinstance(value, dict) else "This is not an object."


def _array(text: IO[str]) -> Iterator[Row]:
    """The members of one long array, with no more of it in memory than the member that is read."""
    decoder, buffer = json.JSONDecoder(), text.read(CHUNK).lstrip()
    if not buffer.startswith("["):
        raise Unreadable("The file is no JSON array: it does not begin with [.")
    buffer = buffer[1:]
    while True:
        buffer = buffer.lstrip(" \t\r\n,")
        if buffer.startswith("]"):
            return
        try:
            value, end = decoder.raw_decode(buffer)
            # A number at the very end of the buffer may go on in the next block; objects end by themselves.
        except (ValueError, RecursionError) as error:
            chunk = text.read(CHUNK)
            if not chunk or len(buffer) > ROW_MAX + CHUNK:
                raise Unreadable("The array is not JSON from some row on, or a row is too long.") from error
            buffer += chunk
            continue
        yield value if isinstance(value, dict) else "This is not an object."
        buffer = buffer[end:]
        if not buffer.strip(" \t\r\n,"):
            chunk = text.read(CHUNK)
            if not chunk:
                raise Unreadable("The array does not end with ].")
            buffer += chunk
