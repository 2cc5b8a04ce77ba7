"""How many SMS a text takes: each is paid for (3GPP TS 23.038 and 23.040)."""

from __future__ import annotations

GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_EXTENDED = frozenset("\f^{}\\[~]|€")  # each takes two places
ONE, PART = 160, 153  # places of an SMS alone, and of one of several
ONE_UCS_2, PART_UCS_2 = 70, 67


def segments(text: str) -> int:
    """Return in how many SMS a text is sent. One character beyond GSM-7 makes all of it UCS-2, with half the room."""
    if all(character in GSM_7 or character in GSM_7_EXTENDED for character in text):
        places = [2 if character in GSM_7_EXTENDED else 1 for character in text]
        return _count(places, ONE, PART)
    places = [2 if ord(character) > 0xFFFF else 1 for character in text]  # UTF-16: an emoji takes two
    return _count(places, ONE_UCS_2, PART_UCS_2)


def _count(places: list[int], one: int, part: int) -> int:
    """Fill one SMS after the other: what takes two places is not cut apart."""
    if sum(places) <= one:
        return 1
    count, room = 1, part
    for size in places:
        if size > room:
            count, room = count + 1, part
        room -= size
    return count
