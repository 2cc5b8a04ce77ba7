"""A bare Django view that runs the statements of one reply and nothing else: the floor of the framework."""

from __future__ import annotations

import itertools
import json
import os
import random
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django

django.setup()

from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.db import connection  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.test.utils import override_settings  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

from config.web.buffered import Buffered  # noqa: E402

CAPTURED = json.loads(Path(os.environ["BENCH_STATEMENTS"]).read_text())
SCRIPTS = itertools.cycle(CAPTURED["scripts"])


@csrf_exempt
def bare(request: HttpRequest, lead: str) -> JsonResponse:
    fresh = str(random.randrange(10**15))
    with connection.cursor() as cursor:
        for statement in next(SCRIPTS):
            cursor.execute(statement.replace(CAPTURED["fresh"], fresh))
            if cursor.description:
                cursor.fetchall()
    answer = JsonResponse({"status": "queued"}, status=201)
    answer["Content-Length"] = str(len(answer.content))
    return answer


urlpatterns = [path("v1/leads/<str:lead>/conversations/reply", bare)]
override_settings(ROOT_URLCONF="bench.bare", MIDDLEWARE=[]).enable()
application = Buffered(WSGIHandler())
