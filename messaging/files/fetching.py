"""Get files from providers, through the guard of every call of ours."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin

from core.http_client import Answer, NotAnswered, NotConnected, call
from messaging.failures import NotSent
from messaging.files.store import FILE_MAX

FETCH_SECONDS = 60.0
REDIRECTS_MAX = 3
MOVED = (301, 302, 303, 307, 308)


def fetch_file(url: str, headers: Mapping[str, str], provider: str) -> bytes:
    """Return the bytes at an address of a provider. Raise NotSent.

    Redirects are followed by hand, each through the guard again, and without the headers: they hold credentials.
    """
    for _ in range(REDIRECTS_MAX + 1):
        answer = _get(url, headers, provider)
        if answer.status not in MOVED:
            break
        url, headers = urljoin(url, answer.headers.get("Location", "")), {}
    if answer.status == 200:
        return answer.body
    is_gone = answer.status in (401, 403, 404, 410)
    detail = f"{provider} did not give the file out: status {answer.status}."
    raise NotSent("channel.failed", detail, is_permanent=is_gone, retry_after=answer.retry_after)


def _get(url: str, headers: Mapping[str, str], provider: str) -> Answer:
    try:
        return call("GET", url, headers=headers, seconds=FETCH_SECONDS, answer_max=FILE_MAX)
    except (NotConnected, NotAnswered) as error:
        is_long = "longer than" in str(error)
        detail = f"{provider} has it, but it is larger than 25 MB." if is_long else f"{provider} could not be reached."
        raise NotSent("channel.failed", detail, is_permanent=is_long) from error
