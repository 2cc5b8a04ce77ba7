"""Small words of the templates."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

# Tabler Icons (MIT), outline: the paths that this product uses.
ICONS = {
    "arrow-up-right": '<path d="M17 7L7 17M8 7h9v9"/>',
    "arrow-down-left": '<path d="M17 7L7 17M16 17H7V8"/>',
    "check": '<path d="M5 12l5 5L20 7"/>',
    "alert": '<path d="M12 9v4M12 16v.01M10.4 3.6L2.3 17a2 2 0 0 0 1.7 3h16a2 2 0 0 0 1.7-3L13.6 3.6a2 2 0 0 0-3.2 0z"/>',
    "x": '<path d="M18 6L6 18M6 6l12 12"/>',
    "clock": '<path d="M3 12a9 9 0 1 0 18 0 9 9 0 0 0-18 0M12 7v5l3 3"/>',
    "minus": '<path d="M5 12h14"/>',
    "circle": '<path d="M12 12m-8 0a8 8 0 1 0 16 0a8 8 0 1 0-16 0"/>',
    "mail": '<path d="M3 7a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2zM3 7l9 6 9-6"/>',
    "world": '<path d="M3 12a9 9 0 1 0 18 0 9 9 0 0 0-18 0M3.6 9h16.8M3.6 15h16.8M11.5 3a17 17 0 0 0 0 18M12.5 3a17 17 0 0 1 0 18"/>',
    "link": '<path d="M9 15l6-6M11 6l.5-.5a5 5 0 0 1 7 7L18 13M13 18l-.4.5a5 5 0 0 1-7.1-7.1L6 11"/>',
}
MARK_ICONS = {"ok": "check", "warn": "alert", "bad": "alert", "off": "minus"}


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon beside words; screen readers read the words."""
    paths = SafeString(ICONS[name])
    return format_html('<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>', paths)


@register.simple_tag
def pill(mark: str, words: str) -> SafeString:
    """A state in words, an icon and a colour."""
    return format_html('<span class="pill {}">{}{}</span>', mark, icon(MARK_ICONS[mark]), words)


@register.filter
def percent(share: float) -> str:
    """A share of 1 as a whole percentage."""
    return f"{share:.0%}".replace("%", "\u00a0%")


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """A relative time, with the exact one in the viewer's zone on hover and for screen readers."""
    if moment is None:
        return ""
    exact = timezone.localtime(moment)
    return format_html(
        '<time data-relative datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        exact.strftime("%a %d %b %Y, %H:%M:%S %Z"),
        _relative((moment - timezone.now()).total_seconds()),
    )


def _relative(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= size:
            number = round(abs(seconds) / size)
            return f"in {number} {unit}" if seconds > 0 else f"{number} {unit} ago"
    return "in a moment" if seconds > 1 else "just now"


@register.filter
def get(mapping: dict[object, object], key: object) -> object:
    return mapping.get(key)
