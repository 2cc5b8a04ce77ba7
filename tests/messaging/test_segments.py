"""How many SMS a text takes."""

import pytest

from messaging.segments import segments


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),  # two places each
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 153, 3),  # it is not cut apart, so the first one stays a place short
        ("ä" * 160, 1),  # in GSM-7
        ("é" * 160, 1),
        ("ł" * 70, 1),  # not in GSM-7
        ("ł" * 71, 2),
        ("ł" * 134, 2),
        ("ł" * 135, 3),
        ("🔧" * 35, 1),
        ("🔧" * 36, 2),
        ("🔧" * 67, 3),  # 33 in each: half an emoji is none
        ("a" * 69 + "’", 1),
        ("a" * 70 + "’", 2),
    ],
)
def test_a_text_takes_so_many_sms(text, count):
    assert segments(text) == count
