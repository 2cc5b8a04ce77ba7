"""Whether receivers can tell that a domain's mails are its own: SPF, DKIM and DMARC, as its DNS says.

Nothing is signed here: that is the business of the mail server which sends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from core.http_client import look_up_texts

# Under these names the large providers have their keys.
SELECTORS = ("default", "google", "selector1", "selector2", "s1", "s2", "k1", "mail", "dkim", "smtp", "mailo")
# What the SPF record has to name for the servers of providers that say so.
INCLUDES = {
    "smtp.gmail.com": "include:_spf.google.com",
    "smtp.office365.com": "include:spf.protection.outlook.com",
    "mailgun": "include:mailgun.org",
}
_EVERYBODY = re.compile(r"(?:^|\s)\+?all(?:\s|$)", re.IGNORECASE)
_KEY = re.compile(r"(?:^|;)\s*p\s*=\s*([^;]*)", re.IGNORECASE)
_POLICY = re.compile(r";\s*p\s*=\s*(none|quarantine|reject)\b", re.IGNORECASE)

Texts = Mapping[str, list[str] | None]  # the TXT records of names; None: nobody could say


@dataclass(frozen=True)
class Finding:
    """One of the three, in words. `record`: the name and the text of a TXT record to add."""

    name: str
    mark: str  # ok, warn, bad, off
    words: str
    published: tuple[str, ...] = ()
    record: tuple[str, str] | None = None


def check_domain(
    domain: str,
    *,
    server: str = "",
    selector: str = "",
    look_up: Callable[[Iterable[str]], Texts] = look_up_texts,
) -> list[Finding]:
    """Look at the DNS of a domain. `server`: the mail server that sends; `selector`: of the DKIM key, where known."""
    domain = _ascii(domain)
    selectors = [selector] if selector else list(SELECTORS)
    parent = domain.partition(".")[2]
    keys = [f"{name}._domainkey.{domain}" for name in selectors]
    policies = [f"_dmarc.{domain}", *([f"_dmarc.{parent}"] if "." in parent else [])]
    texts = look_up([domain, *policies, *keys])
    return [_spf(domain, server.lower(), texts), _dkim(keys, texts, is_named=bool(selector)), _dmarc(policies, texts)]


def _ascii(domain: str) -> str:
    try:
        return domain.lower().encode("idna").decode()
    except UnicodeError:
        return domain.lower()


def _unknown(name: str) -> Finding:
    return Finding(name, "off", "The name servers did not answer in time. Look again in a minute.")


def _spf(domain: str, server: str, texts: Texts) -> Finding:
    """RFC 7208."""
    published = texts[domain]
    if published is None:
        return _unknown("SPF")
    records = tuple(text for text in published if text.lower().partition(" ")[0] == "v=spf1")
    include = INCLUDES.get(server, "")
    if not records:
        words = "There is no SPF record, so receivers cannot tell which servers may send for this domain."
        return Finding("SPF", "warn", words, record=(domain, f"v=spf1 {include or 'mx'} ~all"))
    if len(records) > 1:
        words = "There are several SPF records, and receivers then believe none. Put everything into one."
        return Finding("SPF", "bad", words, records)
    if _EVERYBODY.search(records[0]):
        return Finding("SPF", "bad", "It lets every server send for this domain. End it with ~all or -all.", records)
    if include and include not in records[0].lower():
        words = f"It does not name the servers of your provider. Add {include} before the last word."
        return Finding("SPF", "warn", words, records)
    words = "It names the servers that may send." if include else "Make sure that it names the server that you send by."
    return Finding("SPF", "ok", words, records)


def _dkim(names: list[str], texts: Texts, *, is_named: bool) -> Finding:
    """RFC 6376, 3.6.1."""
    keys = {text: match[1].strip() for name in names for text in texts[name] or () if (match := _KEY.search(text))}
    if any(keys.values()):
        shown = tuple(text if len(text) < 80 else f"{text[:80]}…" for text in keys)
        words = "There is a key. Your mail server signs with it where signing is turned on there."
        return Finding("DKIM", "ok", words, shown)
    if keys:
        return Finding("DKIM", "bad", "The key was withdrawn: its p= is empty. Publish a new one.", tuple(keys))
    if all(texts[name] is None for name in names):
        return _unknown("DKIM")
    if is_named:
        return Finding("DKIM", "warn", f"There is no key at {names[0]}.")
    words = (
        "There is no key under the usual names. Your provider shows the record to add, and its selector: enter it here."
    )
    return Finding("DKIM", "warn", words)


def _dmarc(names: list[str], texts: Texts) -> Finding:
    """RFC 7489, 6.3. The domain above counts where the domain has none."""
    if texts[names[0]] is None:
        return _unknown("DMARC")
    for name in names:
        records = tuple(text for text in texts[name] or () if text.lower().replace(" ", "").startswith("v=dmarc1"))
        if len(records) > 1:
            words = "There are several DMARC records, and receivers then believe none. Keep one."
            return Finding("DMARC", "bad", words, records)
        if records:
            return _policy(records)
    domain = names[0].removeprefix("_dmarc.")
    words = "There is no DMARC record. Google and Yahoo ask for one from those who send many mails."
    return Finding("DMARC", "warn", words, record=(names[0], f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}"))


def _policy(records: tuple[str, ...]) -> Finding:
    match = _POLICY.search(records[0])
    if match is None:
        words = "It has no policy, so receivers ignore it. Add p=none, p=quarantine or p=reject."
        return Finding("DMARC", "bad", words, records)
    words = {
        "none": "It asks receivers to report, and to take mails that fail all the same.",
        "quarantine": "It asks receivers to treat mails that fail as spam.",
        "reject": "It asks receivers to refuse mails that fail.",
    }[match[1].lower()]
    return Finding("DMARC", "ok", words, records)
