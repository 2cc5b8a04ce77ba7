"""The lines by which people and their programs sign."""

from __future__ import annotations

import re

# A line of nothing but rules, as `-- ` (RFC 3676, 4.3), `____`, `* * *`.
_RULE = re.compile(r"^\s*(?:ᐧ|[-–—_=+~#*•.\s]*(?:([-–—_=+~#*•.])\s?\1)[-–—_=+~#*•.\s]*)$")

_DEVICE = (
    r"(?:i ?phone|i ?pad|i ?pod|ios|android|mobile|mobil\w*|phone|telefon\w*|cell|galaxy|samsung|htc|huawei|xiaomi"
    r"|nokia|pixel|alcatel|blackberry|tablet|windows|outlook|yahoo|mail\w*|airmail|gmail|gmx|web\.de|spark|proton\w*"
    r"|thunderbird|k-9|pc|mac|smartphone|device|handy|gerät|appareil|ordinateur|dispositivo|móvil|celular|teléfono|cellulare|laite\w*|telepon)"
)
_SENT_FROM = re.compile(
    r"^[\s(<\[*_‫]*(?:"
    rf"sent (?:from|via|with|by|using|on)\b.{{0,40}}?(?:{_DEVICE}|my \S+)"
    rf"|(?:\w+ )?from (?:my )?{_DEVICE}\b.{{0,20}}$"
    r"|get \[?outlook for|get \[?bluemail|download (?:the )?\w+ (?:mail )?app"
    rf"|envoyé (?:depuis|de|à partir de|avec)\b.{{0,30}}{_DEVICE}"
    rf"|(?:von (?:meinem|unterwegs)|vom)\b.{{0,40}}gesendet|gesendet (?:von|mit|via|über)\b.{{0,40}}{_DEVICE}"
    r"|diese nachricht wurde .{0,60}gesendet"
    rf"|(?:verzonden|verstuurd) (?:vanaf|via|met|vanuit|van)\b.{{0,30}}{_DEVICE}"
    rf"|enviad[oa] (?:desde|de|do|da|via|através|a partir)\b.{{0,30}}{_DEVICE}"
    rf"|inviato (?:da|dal|dall|con)\b.{{0,30}}{_DEVICE}"
    rf"|wysłan[eoay]+ (?:z|ze|przez)\b.{{0,30}}{_DEVICE}"
    rf"|(?:skickat från|sendt fra|send fra|lähetetty|odesláno z|odoslané z|trimis de pe|elküldve)\b.{{0,30}}{_DEVICE}"
    rf"|(?:отправлено|надіслано) (?:с|со|из|з)\b.{{0,30}}"
    rf"|(?:dikirim|dihantar) dari(?:pada)?\b.{{0,30}}{_DEVICE}"
    r"|[從从]我的.{1,30}(?:傳送|发送)|.{0,12}iphone ?から送信|나의 .{1,30}에서 보냄|أُ?رسلت من|נשלח מ|मेरे .{1,30} से भेजा"
    r"|.{1,30}['’]\w+ gönderildi"
    r").{0,90}$",
    re.IGNORECASE,
)
SENT_FROM_MAX = RULE_MAX = 120  # characters
PROSE_WORDS = 10  # in a line: no line of a signature has so many


def is_rule(line: str) -> bool:
    return len(line) <= RULE_MAX and bool(_RULE.match(line))


def begins_a_signature(rule: str, below: list[str]) -> bool:
    """Whether what stands below a line of rules is a signature, and no further part of the letter."""
    is_sure = rule.rstrip() == "--" or "." in rule
    return is_sure or not any(len(line.split()) >= PROSE_WORDS for line in below)


def is_sent_from(line: str) -> bool:
    """Whether a program, not the person, says by what a mail was sent."""
    return len(line) <= SENT_FROM_MAX and bool(_SENT_FROM.match(line.strip()))
