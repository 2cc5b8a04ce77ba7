"""Is this process alive, and is the installation ready?"""

from __future__ import annotations

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from integrations.partitions import months_ready


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Ready when the database answers and next month has its partitions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    months = months_ready()
    return JsonResponse({"ready": months >= 1, "partition_months_ahead": months}, status=200 if months else 503)
