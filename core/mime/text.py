"""The words of a mail: all the text that a person wrote into it, wherever their program put it."""

from __future__ import annotations

import codecs
import re
from email.message import Message
from html.parser import HTMLParser

CONTENT_MAX = 50_000  # characters of one mail that are shown; the raw mail keeps all of it
HTML_MAX = 100_000  # characters
DEEPEST = 10  # parts within parts
QUOTES_MAX = 5  # marks of a quote within quotes
_CONTROLS = {code: None for code in range(32) if chr(code) not in "\n\t"}


def clean(text: str) -> str:
    """Replace what cannot be stored: NUL, other control characters, lone surrogates."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text.translate(_CONTROLS)


def text_of(mail: Message) -> str:
    """Return the plain text of a mail, of one that is only HTML its words; "" when it has none.

    Some programs cut a text into parts around its pictures, and some write an empty plain text beside the HTML.
    """
    return clean(_text(mail, DEEPEST).replace("\r\n", "\n").replace("\r", "\n")).strip("\n")[:CONTENT_MAX]


def _text(part: Message, depth: int) -> str:
    if part.is_multipart():
        children = part.get_payload()
        if depth == 0 or not isinstance(children, list) or part.get_content_maintype() == "message":
            return ""
        texts = [_text(child, depth - 1) for child in children if isinstance(child, Message)]
        texts = [text for text in texts if text.strip()]
        # Of alternatives (RFC 2046, 5.1.4) the plain one, which comes first, if it says anything.
        return texts[0] if texts and part.get_content_subtype() == "alternative" else "\n\n".join(texts)
    if part.get_content_disposition() == "attachment":
        return ""
    kind = part.get_content_type()
    return decoded(part) if kind == "text/plain" else words_of_html(decoded(part)) if kind == "text/html" else ""


def decoded(part: Message) -> str:
    """Return the text of one part, whatever its charset says."""
    payload = part.get_payload(decode=True)
    return decode(payload, part.get_content_charset()) if isinstance(payload, bytes) else ""


def decode(payload: bytes, charset: str | None) -> str:
    """Return bytes as text, as UTF-8 where the charset is none that people write in."""
    return payload.decode(_text_charset(charset), "replace")


def _text_charset(charset: str | None) -> str:
    """Python has codecs that are no charsets, and some of them take quadratic time."""
    try:
        name = codecs.lookup(charset or "utf-8").name
        "".encode(name)  # LookupError for one that is not for text, as base64
    except (LookupError, ValueError, UnicodeError):
        return "utf-8"
    return "utf-8" if name in ("punycode", "idna", "undefined") or name.endswith("escape") else name


class _TextExtractor(HTMLParser):
    """One pass over HTML that keeps its words; blocks become lines, and lines of quotes begin with a mark."""

    HIDDEN = frozenset({"script", "style", "head", "title"})
    BLOCKS = frozenset({"p", "div", "br", "li", "tr", "h1", "h2", "h3", "table", "blockquote", "hr"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = [""]
        self.hidden = self.quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body" or tag in self.BLOCKS:
            self.hidden = 0  # what begins the text ends a head that nobody closed
        self.hidden += tag in self.HIDDEN
        self._break(tag)
        self.quoted += tag == "blockquote"

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in self.HIDDEN and self.hidden > 0
        self._break(tag)
        self.quoted -= tag == "blockquote" and self.quoted > 0

    def _break(self, tag: str) -> None:
        if tag in self.BLOCKS:
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if self.hidden:
            return
        text = re.sub(r"\s+", " ", data)
        begins = not self.lines[-1] and text.strip()
        self.lines[-1] += f"{'>' * min(self.quoted, QUOTES_MAX)} {text.lstrip()}" if begins and self.quoted else text


def words_of_html(html: str) -> str:
    """Return the words of an HTML mail, of its first HTML_MAX characters."""
    html = html[:HTML_MAX]
    return _words(html) or _words(_without_open_tags(html))


def _without_open_tags(html: str) -> str:
    """Take out tags that hide all that follows and are never closed: to HTML it is style, to its writer the mail."""
    for name in _TextExtractor.HIDDEN:
        at = html.lower().find(f"<{name}", html.lower().rfind(f"</{name}") + 1)
        if at >= 0:
            html = html[:at] + html[html.find(">", at) + 1 or len(html) :]
    return html


def _words(html: str) -> str:
    parser = _TextExtractor()
    parser.feed(html)
    # What it left is a tag that never ends. Its close() takes quadratic time to say what is in there.
    parser.handle_data(re.sub(r"<[^<>]*>?", " ", parser.rawdata))
    lines = [line.strip() for line in parser.lines]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
