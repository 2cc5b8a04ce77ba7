"""The HTML of a mail, made harmless."""

from __future__ import annotations

import re
from email.message import Message
from itertools import islice

import nh3

from core.mime.bounds import PARTS_MAX
from core.mime.text import decoded

SHOWN_MAX = 500_000  # characters of HTML
DEEPEST = 200  # elements within elements; the cleaner takes quadratic time for them
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_STYLES = {
    "background-color", "border", "border-collapse", "color", "font-family", "font-size", "font-style", "font-weight",
    "line-height", "margin", "padding", "text-align", "text-decoration", "vertical-align", "width",
}  # fmt: skip
_TAGS = nh3.ALLOWED_TAGS | {"font"}
_ATTRIBUTES = {
    **nh3.ALLOWED_ATTRIBUTES,
    "*": {"style", "dir", "align", "bgcolor"},
    "a": {"href", "title"},
    "table": {"border", "cellpadding", "cellspacing", "width"},
    "td": {"colspan", "rowspan", "width", "valign"},
    "th": {"colspan", "rowspan", "width", "valign"},
    "font": {"color", "face", "size"},
    "img": {"src", "alt", "width", "height", "title"},
}
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags={"script", "style", "title", "template", "iframe", "object", "noscript", "svg", "math"},
    attributes=_ATTRIBUTES,
    filter_style_properties=_STYLES,
    url_schemes={"http", "https", "mailto", "tel"},
    set_tag_attribute_values={"a": {"target": "_blank"}, "img": {"referrerpolicy": "no-referrer"}},
    link_rel="noopener noreferrer nofollow",
)


def html_of(mail: Message) -> str:
    """Return the first part of a mail that is HTML and no attachment; "" when there is none."""
    for part in islice(mail.walk(), PARTS_MAX):
        if part.get_content_type() == "text/html" and part.get_content_disposition() != "attachment":
            return decoded(part)[:SHOWN_MAX]
    return ""


def safe_html(html: str) -> str:
    """Return HTML of a stranger without anything that runs, loads by itself (but pictures), or posts."""
    return _CLEANER.clean(html[: _too_deep(html)])


def _too_deep(html: str) -> int:
    """Return where elements are nested deeper than anybody lays out a letter; the end, where they are not."""
    depth = 0
    for match in _TAG.finditer(html):
        if match[2].lower() not in _VOID:
            depth = max(depth - 1, 0) if match[1] else depth + 1
        if depth > DEEPEST:
            return match.start()
    return len(html)
