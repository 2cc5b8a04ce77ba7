"""POST /forms/{source}: the website form. Anybody may post it, so it trusts nothing and keeps what it does not know."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.models import Source
from api import rates
from api.parsers import parse_json, read_body
from conversations.services.forms import Submission, take_submission
from core.http import client_address, network_of
from core.problems import Invalid, NotFound, Refusal, problem
from core.text import list_data, text_problem
from leads.services import Details
from messaging.addresses import is_email
from messaging.website import HONEYPOT, NONCE

NEXT = "_next"
FIELDS_MAX = 100
MESSAGE_MAX = 20_000  # characters
LIMITS = {"first_name": 200, "last_name": 200, "email": 254, "phone": 60, "address": 1_000}  # characters
PER_ADDRESS = 20  # forms in a minute


@csrf_exempt
@require_http_methods(["POST", "OPTIONS"])
def form(request: HttpRequest, source_id: UUID) -> HttpResponse:
    """Take one form. JSON gets JSON; a browser's form gets a page or the redirect that it asks for."""
    wants_json = request.content_type == "application/json" or "application/json" in request.headers.get("Accept", "")
    origin = None
    try:
        source = _source(source_id)
        origin = _allowed_origin(request, source)
        response = HttpResponse(status=204) if request.method == "OPTIONS" else _take(request, source, wants_json)
    except Refusal as refusal:
        response = _refused(request, refusal, wants_json or request.method != "POST")
    if origin:
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Allow-Headers"] = "Content-Type, Accept"
        response["Access-Control-Expose-Headers"] = "Retry-After"
        response["Vary"] = "Origin"
    return response


def _refused(request: HttpRequest, refusal: Refusal, wants_json: bool) -> HttpResponse:
    if wants_json:
        answer = {"headers": refusal.headers, "extra": refusal.extra}
        return problem(request, refusal.status, refusal.code, refusal.detail, **answer)
    values = {"refusal": refusal}
    page = render(request, "conversations/form_refused_page.html", values, status=refusal.status)
    for name, value in (refusal.headers or {}).items():
        page[name] = value
    return page


def form_thanks(request: HttpRequest, source_id: UUID) -> HttpResponse:
    source = get_object_or_404(Source.objects.active(), pk=source_id)
    return render(request, "conversations/form_thanks_page.html", {"source": source})


def _source(source_id: UUID) -> Source:
    source = Source.objects.active().filter(pk=source_id).first()
    if source is None:
        raise NotFound("form")
    return source


def _allowed_origin(request: HttpRequest, source: Source) -> str | None:
    """Return the page's origin, if the browser said one. Raise Refusal 403 when it is not on the source's list."""
    origin = request.headers.get("Origin") or _origin_of(request.headers.get("Referer", ""))
    if source.form_origins and origin not in source.form_origins:
        raise Refusal(403, "form.originNotAllowed", "This website may not post this form.")
    return origin


def _origin_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else None


def _take(request: HttpRequest, source: Source, wants_json: bool) -> HttpResponse:
    address = client_address(request) or ""
    network = network_of(address)
    rates.limit(f"form:{source.pk}:{network}", per_minute=PER_ADDRESS)
    fields = _fields(request)
    is_robot = bool(str(fields.pop(HONEYPOT, "")).strip())
    target = str(fields.pop(NEXT, ""))
    if not is_robot:  # a robot reads the same thanks, and nothing is kept
        take_submission(source=source, submission=_submission(fields, address))
    if wants_json:
        return JsonResponse({"status": "OK"}, status=201)
    if target and _origin_of(target) in source.form_origins:
        return HttpResponseRedirect(target, status=303)
    return HttpResponseRedirect(reverse("conversations:form-thanks", args=[source.pk]), status=303)


def _fields(request: HttpRequest) -> dict[str, Any]:
    length = request.META.get("CONTENT_LENGTH")
    body = read_body(request, int(length) if length and length.isdigit() else None)
    if request.content_type == "application/json":
        parsed = parse_json(body)
        if not isinstance(parsed, dict):
            raise Invalid.at("#", "The body is a JSON object.", "type")
        fields = parsed
    elif request.content_type == "application/x-www-form-urlencoded":
        fields = _urlencoded(body)
    else:
        raise Refusal(415, "request.unsupportedMediaType", "Send a urlencoded form or JSON.")
    if len(fields) > FIELDS_MAX:
        raise Invalid.at("#", f"A form may have {FIELDS_MAX} fields.", "tooMany")
    return fields


def _urlencoded(body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except (UnicodeDecodeError, ValueError) as error:
        raise Invalid.at("#", f"The form is not UTF-8, or has more than {FIELDS_MAX} fields.", "encoding") from error
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if text_problem(name) or text_problem(value):
            raise Invalid.at(f"#/{name}".replace("\x00", ""), text_problem(name) or text_problem(value), "unstorable")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _submission(fields: dict[str, Any], address: str) -> Submission:
    errors = []
    known: dict[str, Any] = {}
    if "name" in fields and "first_name" not in fields:
        fields["first_name"], _, last = str(fields.pop("name")).strip().partition(" ")
        fields.setdefault("last_name", last)
    for name, limit in LIMITS.items():
        known[name] = _text(fields.pop(name, ""))
        if len(known[name]) > limit:
            errors.append({"pointer": f"#/{name}", "detail": f"At most {limit} characters.", "code": "max_length"})
    if known["email"] and not is_email(known["email"]):
        errors.append({"pointer": "#/email", "detail": "This is not an email address.", "code": "invalid"})
    message, title, nonce = (_text(fields.pop(name, "")) for name in ("message", "title", NONCE))
    if len(message) > MESSAGE_MAX:
        errors.append({"pointer": "#/message", "detail": f"At most {MESSAGE_MAX} characters.", "code": "max_length"})
    if len(list_data(fields)) > MESSAGE_MAX:
        errors.append({"pointer": "#", "detail": f"All in all at most {MESSAGE_MAX} characters.", "code": "max_length"})
    if not any(known.values()) and not message and not fields:
        errors.append({"pointer": "#", "detail": "The form is empty.", "code": "required"})
    if errors:
        raise Invalid(errors)
    return Submission(Details(**known), message, title[:300], fields, nonce[:200], address)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else "" if value is None else str(value)
