"""The OpenAPI document as it is served: made once in each process, because that takes a third of a second."""

from __future__ import annotations

import threading
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.request import Request

_making = threading.Lock()  # drf-spectacular loads its extensions without one
_made: list[bytes] = []


class Document(SpectacularJSONAPIView):
    """`GET /v1/openapi.json`, for anybody."""

    def _get_schema_response(self, request: Request) -> HttpResponse:
        return HttpResponse(the_document(), content_type="application/vnd.oai.openapi+json; charset=utf-8")


def the_document() -> bytes:
    """Return it, made if need be. A web process makes it before it serves."""
    with _making:
        if not _made:
            generator: Any = SchemaGenerator
            schema = generator().get_schema(request=None, public=True)
            _made.append(OpenApiJsonRenderer().render(schema))
        return _made[0]
