"""Every address of the product."""

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update
from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from config import errors, health
from config.document import Document
from conversations.mcp.view import mcp

# Swagger UI sets styles on its elements. The page itself shows nothing that somebody else wrote.
reference = csp_update({"style-src": [UNSAFE_INLINE]})(SpectacularSwaggerSplitView.as_view(url_name="api:schema"))
api: list[URLPattern | URLResolver] = [
    path("", include("integrations.api.urls")),
    path("", include("conversations.api.urls")),
    path("openapi.json", Document.as_view(), name="schema"),
    path("docs", reference, name="docs"),
]
urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("v1/", include((api, "api"))),
    path("mcp", mcp, name="mcp"),
    path("", include("conversations.urls")),
    path("", include("integrations.urls")),
    path("accounts/", include("config.account_urls")),
    path("admin/", admin.site.urls),
]
if settings.DEMO_MAIL_DIR:
    from demo.views import mails

    urlpatterns.append(path("demo/mail/", mails, name="demo-mails"))

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
