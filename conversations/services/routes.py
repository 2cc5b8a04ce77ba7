"""Which connection a reply goes by, and why one is refused."""

from __future__ import annotations

from conversations.reachability import reason_against
from conversations.services.recipients import Recipient, Route
from conversations.window import is_window_open
from core.ids import rfc3339
from core.problems import NotFound, Refusal
from leads.models import OptOut
from messaging.registry import CHANNELS


def choose_route(recipient: Recipient, named: int | None, *, has_template: bool = False) -> Route:
    """Choose the connection: the named one, else that of the last message, else (it only receives) email, then SMS.

    A connection that is merely down is refused, never silently changed for another one.
    """
    routes = {route.id: route for route in recipient.routes}
    if named is not None:
        route = routes.get(named)
        if route is None:
            raise NotFound("connection")
    else:
        route = routes.get(recipient.last_connection_id or 0)
        if route is None or not route.can_send:
            route = _first_that_reaches(recipient)
    if route is None:
        raise _refusal("receives_only")
    reason = reason_against(
        route.kind,
        recipient.reach,
        is_connected=route.is_connected,
        is_window_open=lambda: has_template or is_window_open(CHANNELS[route.kind], route.id, recipient.lead_id),
    )
    if reason:
        raise opted_out(recipient, route) if reason == "opted_out" else _refusal(reason)
    return route


def _first_that_reaches(recipient: Recipient) -> Route | None:
    """The first channel, in their order, on which the lead has an address; else the first that sends at all."""
    sending = [
        candidate
        for kind in CHANNELS
        for candidate in recipient.routes
        if candidate.kind == kind and candidate.can_send
    ]
    with_address = (candidate for candidate in sending if recipient.reach.has(CHANNELS[candidate.kind].address))
    return next(with_address, sending[0] if sending else None)


def _refusal(reason: str) -> Refusal:
    if reason == "not_connected":
        return Refusal(422, "channel.notConnected", "This channel is not connected.")
    if reason == "outside_window":
        detail = "More than 24 hours have passed since the lead's last message here. Send a template instead."
        return Refusal(422, "channel.outsideWindow", detail)
    if reason == "receives_only":
        return Refusal(422, "channel.unavailable", "This channel only receives. Choose another one.")
    address = "email address" if reason == "no_email" else "phone number"
    return Refusal(422, "channel.unavailable", f"The lead has no {address}.")


def opted_out(recipient: Recipient, route: Route) -> Refusal:
    """Say when and why the lead stopped this channel."""
    addresses = [address for address in (recipient.email.lower(), recipient.phone) if address]
    rows = OptOut.objects.in_force().of_addresses(recipient.organization_id, addresses)
    opt_out = rows.filter(channel=route.kind).order_by("created_at").first()
    if opt_out is None:  # lifted this moment
        return Refusal(409, "lead.optedOut", "The lead does not want messages on this channel.")
    label, day = CHANNELS[route.kind].label, f"{opt_out.created_at:%-d %B %Y}"
    return Refusal(
        409,
        "lead.optedOut",
        f"The lead does not want messages on this channel ({label}) since {day}: {opt_out.get_reason_display()}.",
        extra={"opted_out": {"channel": opt_out.channel, "at": rfc3339(opt_out.created_at), "reason": opt_out.reason}},
    )
