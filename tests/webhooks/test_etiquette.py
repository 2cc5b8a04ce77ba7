"""What each kind of answer, or none, means for the delivery and its endpoint: the exact next state."""

from __future__ import annotations

import os
import socket
import struct
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.support.attempts import claimed, send
from webhooks.delivery.schedule import GAPS

HOUR = timedelta(hours=1)


def says(status: int, **headers: str):
    """A receiver that answers so."""

    def answer(handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def truncated(handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def reset(handler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(handler.connection.detach())
    handler.close_connection = True


def http_date(ahead: timedelta) -> str:
    return format_datetime((datetime.now(UTC) + ahead).replace(microsecond=0), usegmt=True)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_success(receiver, status):
    receiver.answers = [says(status)]
    result = send(receiver.url)
    assert (result.outcome, result.status_code, result.retry_after) == ("delivered", status, None)
    assert result.dialled == receiver.url.split("/")[2]  # also where no body keeps the connection


def test_an_answer_cut_short_after_a_2xx_is_success(receiver):
    receiver.answers = [truncated]
    assert send(receiver.url).outcome == "delivered"


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 409, 500, 502, 504])
def test_anything_else_is_tried_again_on_schedule_and_redirects_are_not_followed(receiver, status):
    receiver.answers = [says(status, Location=receiver.url)]
    result = send(receiver.url)
    assert (result.outcome, result.uses_up_attempt, result.stops_endpoint) == ("retrying", True, "")
    assert GAPS[1] <= result.retry_after <= GAPS[1] * 1.1
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("3600", HOUR, HOUR),
        (lambda: http_date(HOUR), HOUR - timedelta(seconds=3), HOUR),
        (str(10 * 365 * 86_400), timedelta(hours=24), timedelta(hours=24)),
        (lambda: http_date(timedelta(days=3650)), timedelta(hours=24), timedelta(hours=24)),
        ("0", GAPS[1], GAPS[1] * 1.1),  # never called in a circle
        ("1", GAPS[1], GAPS[1] * 1.1),
    ],
    ids=["seconds", "date", "ten years", "a date in ten years", "at once", "a second"],
)
def test_retry_after_is_honoured_never_earlier_and_not_counted(receiver, status, value, least, most):
    receiver.answers = [says(status, Retry_After=value() if callable(value) else value)]
    result = send(receiver.url)
    assert (result.outcome, result.uses_up_attempt) == ("retrying", False)
    assert least <= result.retry_after <= most


@pytest.mark.parametrize(
    "value",
    ["soon", "-5", "", "1e9", "99999-01-01", http_date(-HOUR), "٣"],
    # Names of their own: with the date in it, a test would have another one in each process of a parallel run.
    ids=["soon", "negative", "empty", "a float", "no date", "an hour ago", "a digit of another script"],
)
@pytest.mark.parametrize("status", [429, 503])
def test_rubbish_in_retry_after_is_as_if_it_were_not_there(receiver, status, value):
    receiver.answers = [says(status, Retry_After=value.encode().decode("latin-1"))]
    result = send(receiver.url)
    assert (result.outcome, result.uses_up_attempt) == ("retrying", True)
    assert GAPS[1] <= result.retry_after <= GAPS[1] * 1.1


def test_retry_after_on_other_answers_says_nothing(receiver):
    receiver.answers = [says(500, Retry_After="3600")]
    assert send(receiver.url).retry_after < HOUR


def test_410_stops_the_endpoint_at_once(receiver):
    receiver.answers = [says(410)]
    result = send(receiver.url)
    assert (result.outcome, result.retry_after) == ("failed", None)
    assert result.stops_endpoint == "The receiver answered 410 Gone"


@pytest.mark.parametrize("status", [200, 500])
def test_the_header_disable_stops_the_endpoint_at_once(receiver, status):
    receiver.answers = [says(status, Webhook_Delivery="disable")]
    result = send(receiver.url)
    assert result.outcome == ("delivered" if status == 200 else "failed")
    assert result.stops_endpoint
    assert result.retry_after is None


def test_the_header_abort_message_ends_this_event_alone(receiver):
    receiver.answers = [says(500, webhook_delivery="Abort-Message")]
    result = send(receiver.url)
    assert (result.outcome, result.retry_after, result.stops_endpoint) == ("failed", None, "")
    assert "abort-message" in result.next_because


def test_a_reset_is_tried_again(receiver):
    receiver.answers = [reset]
    result = send(receiver.url)
    assert (result.outcome, result.status_code) == ("retrying", None)
    assert result.error == "The server closed the connection before it answered"


def test_a_server_without_tls_is_tried_again(receiver):
    result = send(receiver.url.replace("http://", "https://"))
    assert result.outcome == "retrying"
    assert result.error == "The server does not speak TLS as it should"


def test_a_name_that_is_not_found_is_tried_again():
    result = send("http://nobody.invalid/hook")
    assert (result.outcome, result.error) == ("retrying", "The name of the server was not found")


def test_a_closed_port_is_tried_again():
    result = send("http://127.0.0.1:9/hook")
    assert (result.outcome, result.error) == (
        "retrying",
        "The server could not be reached: connection refused or timed out",
    )


@pytest.mark.parametrize("attempts", range(1, 10))
def test_each_gap_is_the_schedules_and_jitter_only_adds(receiver, attempts):
    receiver.answers = [500]
    result = send(receiver.url, claimed(attempts))
    assert GAPS[attempts] <= result.retry_after <= GAPS[attempts] * 1.1


def test_the_tenth_failure_is_the_last(receiver):
    receiver.answers = [500]
    result = send(receiver.url, claimed(10))
    assert (result.outcome, result.retry_after, result.next_because) == ("failed", None, "All 10 attempts failed")


def test_every_delivery_ends_five_days_after_it_began(receiver):
    receiver.answers = [says(429, Retry_After="86400")]
    result = send(receiver.url, claimed(1, age=timedelta(days=4, hours=1)))
    assert (result.outcome, "five days" in result.next_because) == ("failed", True)
    assert (
        send(receiver.url, claimed(2, age=timedelta(days=5, seconds=1))).error
        == "Five days have passed since the event"
    )
    assert len(receiver.requests) == 1


def test_a_dripping_answer_ends_at_the_deadline(receiver):
    import time

    def drip(handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        try:
            while True:
                handler.wfile.write(b".")
                handler.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    receiver.answers = [drip]
    started = time.monotonic()
    result = send(receiver.url, seconds=1)
    assert time.monotonic() - started < 2
    assert result.outcome == "delivered"  # a 2xx came; the rest of the answer is only for the log


def test_at_most_64_kb_of_an_answer_are_kept(receiver):
    def flood(handler) -> None:
        handler.wfile.write(b"HTTP/1.1 500 No\r\nContent-Length: 10000000000\r\n\r\n")
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            pass

    receiver.answers = [flood]
    assert len(send(receiver.url).answer_body) == 64 * 1024


def test_endless_interim_answers_are_hung_up_on(receiver):
    """Each of them is read in the loop that carries everybody's deliveries."""

    def streams(handler) -> None:
        for _ in range(10_000):
            try:
                handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
            except OSError:
                return
        handler.send_response(200)
        handler.end_headers()

    receiver.answers = [streams]
    result = send(receiver.url)
    assert result.outcome == "retrying"
    assert "TooManyInterim" in result.error


def test_a_few_interim_answers_are_nothing_special(receiver):
    def hints(handler) -> None:
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3)
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    receiver.answers = [hints]
    assert send(receiver.url).outcome == "delivered"
