"""What the Cloud API's error codes mean, and what to do.

https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
"""

from __future__ import annotations

from datetime import timedelta

from messaging.failures import NotSent

OUTSIDE_WINDOW = 131047
# Of the message alone: it will never be taken.
REFUSED = {
    131026: "This number is not on WhatsApp, or cannot receive this message.",
    131047: "More than 24 hours have passed since the lead's last message. Send a template instead.",
    131051: "WhatsApp does not take this kind of message.",
    130472: "WhatsApp holds marketing messages back from this person.",
    131021: "This is your own number.",
    132000: "The template needs another number of variables.",
    132001: "There is no such template in this language.",
    132005: "The template is too long with these variables.",
    132007: "WhatsApp's policy refuses this template.",
    132012: "A variable of the template does not have the form that the template asks for.",
    132015: "The template is paused because of its quality.",
    132016: "The template was disabled because of its quality.",
}
# Of the account or the pace: it waits. Seconds after which WhatsApp may take it, where it says.
LATER = {
    4: ("WhatsApp asks to send more slowly.", None),
    80007: ("WhatsApp asks to send more slowly.", None),
    130429: ("WhatsApp asks to send more slowly.", None),
    131048: ("WhatsApp limits this number, because people reported its messages.", timedelta(hours=1)),
    131049: ("WhatsApp does not deliver more messages to this person today.", timedelta(hours=24)),
    131056: ("Too many messages to this person in a short time.", timedelta(seconds=6)),
    190: ("WhatsApp refuses the access token. Enter a current one.", None),
    10: ("The access token may not send from this number. Give it the permission whatsapp_business_messaging.", None),
    200: ("The access token may not send from this number. Give it the permission whatsapp_business_messaging.", None),
    368: ("WhatsApp has blocked this account for violating its policy.", timedelta(hours=1)),
    131031: ("WhatsApp has locked this account.", timedelta(hours=1)),
    131042: ("WhatsApp needs a payment method for this account.", timedelta(hours=1)),
    133010: ("This number is not registered with the Cloud API.", None),
}


def explain(code: int, words: str, status: int, retry_after: float | None = None) -> NotSent:
    """Return the failure for an error of the Cloud API, in words for the team.

    `status` is the HTTP status of the answer; 0 for an error that came later, in a report: then nothing is tried again.
    """
    shown = " ".join(words.split())[:200]
    if code in REFUSED:
        name = "channel.outsideWindow" if code == OUTSIDE_WINDOW else "channel.refused"
        return NotSent(name, f"{REFUSED[code]} (WhatsApp {code})", is_permanent=True)
    if code in LATER:
        detail, pause = LATER[code]
        seconds = retry_after or (pause.total_seconds() if pause else None)
        return NotSent("channel.failed", f"{detail} (WhatsApp {code})", is_permanent=not status, retry_after=seconds)
    if status in (401, 408, 429) or status >= 500:
        detail = f"WhatsApp could not take it yet: {status} {shown}".strip()
        return NotSent("channel.failed", detail, is_permanent=False, retry_after=retry_after)
    detail = f"WhatsApp refused it: {shown or status}" + (f" (WhatsApp {code})" if code else "")
    return NotSent("channel.refused", detail, is_permanent=True)
