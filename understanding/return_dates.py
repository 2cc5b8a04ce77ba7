"""The return date in an out-of-office reply."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

import dateparser

# How the names of months begin, in the languages of phrases/.
_MONTH = (
    r"(?:jan|feb|fev|fév|mar|mär|maa|mac|apr|abr|avr|may|mai|maj|mag|mei|mayıs|giu|jun|jui|lug|jul|aug|ago|aoû|sep|set|syys"
    r"|oct|okt|ott|out|nov|dec|dez|dic|dis|déc|gen|ene|sty|lut|kwi|cze|lip|sie|wrz|paź|lis|gru|tammi|helmi|huhti|touko|kesä"
    r"|heinä|elo|loka|marras|joulu|ogos|ocak|şubat|nisan|haziran|temmuz|ağu|eylül|ekim|kasım|aralık"
    r"|जनवरी|फरवरी|मार्च|अप्रैल|मई|जून|जुलाई|अगस्त|सितंबर|अक्टूबर|नवंबर|दिसंबर)\w*\.?"
)
_MONTH_AND_DAY = rf"{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?![./\-\d])(?:,? \d{{4}})?"
_DAY_AND_MONTH = rf"\d{{1,2}}(?:st|nd|rd|th|er|º|\.)?(?: de| of)? {_MONTH}(?:(?: de|,)? \d{{4}})?"
_NUMBERS = r"\d{1,4}[./\-]\d{1,2}(?:[./\-]\d{2,4}|\.)?"
_JAPANESE = r"(?:\d{4}年)?\d{1,2}月\d{1,2}日"
_WEEKDAYS = {
    "en": "monday tuesday wednesday thursday friday saturday sunday",
    "de": "montag dienstag mittwoch donnerstag freitag samstag sonntag",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "es": "lunes martes miércoles jueves viernes sábado domingo",
    "pt": "segunda terça quarta quinta sexta sábado domingo",
    "it": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "nl": "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    "pl": "poniedziałku wtorku środy czwartku piątku soboty niedzieli",
    "da": "mandag tirsdag onsdag torsdag fredag lørdag søndag",
    "fi": "maanantaina tiistaina keskiviikkona torstaina perjantaina lauantaina sunnuntaina",
    "ms": "isnin selasa rabu khamis jumaat sabtu ahad",
}
_DAYS = {name: number for names in _WEEKDAYS.values() for number, name in enumerate(names.split())}
LANGUAGES = ["en", "de", "fr", "es", "pt", "it", "nl", "pl", "da", "fi", "hi", "ja", "ms", "sv", "nb", "tr"]
_SAID = re.compile(
    rf"(?<!\d)({_JAPANESE}|{_NUMBERS}(?!\d)|{_MONTH_AND_DAY}|{_DAY_AND_MONTH}|\b(?:{'|'.join(_DAYS)})\b)", re.IGNORECASE
)
FARTHEST = timedelta(days=400)
SEARCHED = 1_000  # characters
DATES_MAX = 6


def returns_on(text: str, today: date) -> date | None:
    """Return the day on which somebody is back; None where they name none that makes sense.

    Of a period ("from 1 to 14 May") it is the last day.
    """
    said = [match[1] for match in list(_SAID.finditer(text[:SEARCHED]))[:DATES_MAX]]
    is_month_first = any(re.match(r"\d{1,2}/(?:1[3-9]|2\d|3[01])\b", words) for words in said)
    days = [_day(words, today, is_month_first=is_month_first) for words in said]
    likely = [day for day in days if day and today <= day <= today + FARTHEST]
    return max(likely, default=None)


def _day(words: str, today: date, *, is_month_first: bool) -> date | None:
    if (number := _DAYS.get(words.lower())) is not None:
        return today + timedelta(days=(number - today.weekday() - 1) % 7 + 1)
    numbers = [int(number) for number in re.findall(r"\d+", words)]
    if len(numbers) >= 2 and not re.search(r"[^\W\d_月日年]", words):
        return _numeric(numbers, today, is_month_first="月" in words or is_month_first)
    settings = {"RELATIVE_BASE": datetime.combine(today, time()), "REQUIRE_PARTS": ["day", "month"]}
    parsed = dateparser.parse(re.sub(r"(?<=\d)(?:\.|º|er)(?= )", "", words), languages=LANGUAGES, settings=settings)
    return _coming(parsed.date(), today, has_year=bool(re.search(r"\d{4}", words))) if parsed else None


def _numeric(numbers: list[int], today: date, *, is_month_first: bool) -> date | None:
    """Day and month, with or without a year, in the order that people write them in."""
    has_year = len(numbers) > 2
    if numbers[0] > 31:
        year, month, day = (*numbers, 1)[:3]
    else:
        first, second = numbers[:2]
        month, day = (first, second) if is_month_first else (second, first)
        year = numbers[2] if has_year else today.year
    try:
        return _coming(date(year + 2000 if year < 100 else year, month, day), today, has_year=has_year)
    except ValueError:
        return None


def _coming(day: date, today: date, *, has_year: bool) -> date:
    """Of a day without a year the next one; a little past it is a mail that is read late."""
    is_over = day < today - timedelta(days=30)
    return day + timedelta(days=365) if is_over and not has_year else day
