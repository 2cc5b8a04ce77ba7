"""What Twilio's error codes mean, and what to do: https://www.twilio.com/docs/api/errors"""

from __future__ import annotations

from messaging.failures import NotSent

OPTED_OUT, OUTSIDE_WINDOW = 21610, 63016
# Of the message alone: it will never be taken.
REFUSED = {
    21211: "This is not a phone number that exists. Correct the lead's number.",
    21408: "Your Twilio account may not send to this country. Allow it in Twilio under Geo permissions.",
    21602: "The message is empty.",
    21606: "Twilio does not know the number that this is sent from. Check the number of the connection.",
    21612: "Twilio cannot send to this number from yours.",
    21614: "This number cannot receive SMS: it is not a mobile number.",
    21617: "The message is too long for SMS.",
    30003: "The phone is off, out of reach, or its number is no longer in use.",
    30004: "The phone or its carrier blocks messages from you.",
    30005: "The carrier does not know this number.",
    30006: "This is a landline, or the carrier cannot be reached.",
    30007: "The carrier filtered the message as unwanted.",
    30008: "The carrier failed without saying why. You can send it again.",
    30032: "Your toll-free number is not verified yet. Verify it in Twilio.",
    30034: "Your number is not registered for business messages (A2P 10DLC). Register it in Twilio.",
    63016: "More than 24 hours have passed since the lead's last message. Send a template instead.",
}
# Of the account: whatever is sent waits until somebody has put it right.
ACCOUNT = {
    20003: "Twilio refuses the Account SID or the Auth Token. Enter the current ones.",
    20429: "Twilio asks to send more slowly.",
    21910: "The number and the account do not belong together in Twilio.",
}


def explain(code: int, words: str, status: int, retry_after: float | None = None) -> NotSent:
    """Return the failure for an error of Twilio's, in words for the team.

    `status` is the HTTP status of the answer; 0 for an error that came later, in a report.
    """
    shown = " ".join(words.split())[:200]
    if code == OPTED_OUT:
        detail = "The lead sent STOP to this number, so Twilio sends nothing more to it."
        return NotSent("lead.optedOut", detail, is_permanent=True, has_opted_out=True)
    if code in REFUSED:
        name = "channel.outsideWindow" if code == OUTSIDE_WINDOW else "channel.refused"
        return NotSent(name, f"{REFUSED[code]} (Twilio {code})", is_permanent=True)
    if code in ACCOUNT or status in (401, 403, 408, 429) or status >= 500:
        detail = ACCOUNT.get(code) or f"Twilio could not take it yet: {status} {shown}".strip()
        return NotSent("channel.failed", detail, is_permanent=False, retry_after=retry_after)
    detail = f"Twilio refused it: {shown or status}" + (f" (Twilio {code})" if code else "")
    return NotSent("channel.refused", detail, is_permanent=True)
