"""Every address of the product."""

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update
from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from api.mcp.view import mcp
from config import api_urls, errors, health
from config.document import Document

# Swagger UI sets styles on its elements. The page itself shows nothing that somebody else wrote.
reference = csp_update({"style-src": [UNSAFE_INLINE]})(SpectacularSwaggerSplitView.as_view(url_name="v1:schema"))
api: list[URLPattern | URLResolver] = [
    *api_urls.urlpatterns,
    path("openapi.json", Document.as_view(), name="schema"),
    path("docs", reference, name="docs"),
]
# A card's own pages come before the tab that they stand on.
PAGES = ["accounts", "api", "messaging", "webhooks", "integrations", "leads", "conversations", "inbox", "sources"]
urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("v1/", include((api, "v1"))),
    path("mcp", mcp, name="mcp"),
    *(path("", include(f"{app}.urls")) for app in PAGES),
    path("accounts/", include("config.account_urls")),
    path("admin/", admin.site.urls),
]
if settings.DEMO_MAIL_DIR:
    from demo.views import mails

    urlpatterns.append(path("demo/mail/", mails, name="demo-mails"))
if settings.DEMO_PHONE_URL:
    from demo.views import phone

    urlpatterns.append(path("demo/phone/", phone, name="demo-phone"))

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
