"""Is this process alive, is the installation ready, and how does it do?"""

from __future__ import annotations

import hmac

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from config.schema_state import missing_migrations
from core.partitions import months_ready
from outbox.metrics import Collector, left_behind, queues, read_queue


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Ready when the database answers and is not behind this release, next month has its partitions, all moves."""
    if missing := missing_migrations():
        return JsonResponse({"ready": False, "missing_migrations": missing}, status=503)
    months = months_ready()
    stalled = [name for name in queues() if read_queue(name).is_stalled]
    is_ready = months >= 1 and not stalled
    values = {"ready": is_ready, "partition_months_ahead": months, "stalled": stalled, "left_behind": left_behind()}
    return JsonResponse(values, status=200 if is_ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus, with the bearer token of METRICS_TOKEN; without that setting there is no such page."""
    token = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "")
    if not token or not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise Http404
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
