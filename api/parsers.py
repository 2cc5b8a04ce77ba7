"""The one gate for JSON bodies: what cannot be stored or is out of measure never reaches a serializer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Protocol

from rest_framework.parsers import BaseParser

from core.problems import Invalid, Refusal
from core.text import pointer_part, text_problem

BODY_MAX_BYTES = 1_000_000
DEPTH_MAX = 20
MEMBERS_MAX = 5_000  # values in one body, all levels together


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_body(stream: Readable, length: int | None) -> bytes:
    """Read a body of at most BODY_MAX_BYTES. Raise Refusal 413 before reading more."""
    if length is not None and length > BODY_MAX_BYTES:
        raise _too_large()
    body = stream.read(BODY_MAX_BYTES + 1)
    if len(body) > BODY_MAX_BYTES:
        raise _too_large()
    return body


def _too_large() -> Refusal:
    return Refusal(413, "request.tooLarge", f"A body may have {BODY_MAX_BYTES} bytes.")


def parse_json(body: bytes) -> Any:
    """Return what a JSON body says. Raise Invalid with a pointer to what cannot be taken."""
    try:
        text = body.decode("utf-8")
        value = json.loads(text, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise Invalid.at("#", f"The body is not UTF-8 (byte {error.start}).", "encoding") from error
    except json.JSONDecodeError as error:
        raise Invalid.at("#", f"The body is not JSON: {error.msg} at character {error.pos}.", "json") from error
    except (RecursionError, ValueError) as error:
        raise Invalid.at("#", "The body is nested too deeply, or contains NaN or Infinity.", "json") from error
    errors: list[dict[str, str]] = []
    _inspect(value, "#", 0, [MEMBERS_MAX], errors)
    if errors:
        raise Invalid(errors[:50])
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _inspect(value: Any, place: str, depth: int, budget: list[int], errors: list[dict[str, str]]) -> None:
    budget[0] -= 1
    if budget[0] == 0:
        errors.append({"pointer": "#", "detail": f"A body may hold {MEMBERS_MAX} values.", "code": "tooMany"})
    if budget[0] <= 0:
        return
    if isinstance(value, str):
        if problem := text_problem(value):
            errors.append({"pointer": place, "detail": problem, "code": "unstorable"})
    elif isinstance(value, Mapping | list):
        if depth >= DEPTH_MAX:
            errors.append({"pointer": place, "detail": f"At most {DEPTH_MAX} levels.", "code": "tooDeep"})
            return
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, member in pairs:
            if isinstance(name, str) and text_problem(name):
                errors.append(
                    {"pointer": place, "detail": "A name has a character that is not text.", "code": "unstorable"}
                )
                continue
            _inspect(member, f"{place}/{pointer_part(name)}", depth + 1, budget, errors)
    elif (isinstance(value, float) and not math.isfinite(value)) or (
        isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 63
    ):
        errors.append({"pointer": place, "detail": "This number is too large.", "code": "tooLarge"})


class StrictJSONParser(BaseParser):
    """DRF's parser for every JSON endpoint."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        request = (parser_context or {}).get("request")
        length = request.META.get("CONTENT_LENGTH") if request else None
        return parse_json(read_body(stream, int(length) if length and str(length).isdigit() else None))
