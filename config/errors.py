"""Errors in the caller's language: a problem for the API, a page for people."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from api.handler import is_api
from core.problems import problem

ASK = "Ask an owner of your organization."


def _answer(request: HttpRequest, status: int, code: str, title: str, detail: str) -> HttpResponse:
    if is_api(request):
        return problem(request, status, code, detail)
    values = {"title": title, "detail": detail, "request_id": getattr(request, "request_id", "")}
    return render(request, "error_page.html", values, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400, "request.invalid", "That did not work", "The request is not valid.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403, "request.forbidden", "You don't have permission to do this", str(exception) or ASK)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(
        request, 404, "resource.notFound", "Page not found", "This page doesn't exist, or you don't have access."
    )


def server_error(request: HttpRequest) -> HttpResponse:
    detail = "This is our fault. The request id helps whoever runs this installation to find it."
    return _answer(request, 500, "internal.error", "Something went wrong", detail)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(request, 403, "request.csrf", "This page has expired", "Reload it and try again.")
