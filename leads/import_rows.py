"""Read the rows of an import, one after the other, whatever the size of the file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import IO, Any

from leads.models import LeadImport

ROWS_MAX = 100_000
ROW_MAX = 100_000  # characters of one row
CHUNK = 64 * 1024


class Unreadable(Exception):
    """The file as a whole is not what it says it is."""


Row = dict[str, Any] | str  # an object, or what is wrong with this row


def read_rows(file: IO[bytes], file_format: str) -> Iterator[Row]:
    """Yield each row. Raise Unreadable where nothing can be read from here on."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="strict", newline="")
    try:
        if file_format == LeadImport.Format.CSV:
            yield from _csv(text)
        elif file_format == LeadImport.Format.NDJSON:
            yield from _lines(text)
        else:
            yield from _array(text)
    except UnicodeDecodeError as error:
        raise Unreadable(f"The file is not UTF-8 (byte {error.start} of a block).") from error
    finally:
        text.detach()


def _csv(text: IO[str]) -> Iterator[Row]:
    try:
        sample = text.readline(ROW_MAX)
        delimiter = max(",;\t", key=sample.count)
        header = next(csv.reader([sample], delimiter=delimiter), [])
        if not any(header):
            raise Unreadable("The first line has no names of columns.")
        for cells in csv.reader(text, delimiter=delimiter):
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(header):
                yield f"It has {len(cells)} cells, and there are {len(header)} columns."
            else:
                yield dict(zip(header, cells, strict=False))
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
            more = text.read(CHUNK)
            if not more or len(buffer) > ROW_MAX + CHUNK:
                raise Unreadable("The array is not JSON from some row on, or a row is too long.") from error
            buffer += more
            continue
        yield value if isinstance(value, dict) else "This is not an object."
        buffer = buffer[end:]
        if not buffer.strip(" \t\r\n,"):
            more = text.read(CHUNK)
            if not more:
                raise Unreadable("The array does not end with ].")
            buffer += more
