from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse


class AdminSite(admin.AdminSite):
    """Django's admin behind our own login, with its second factor and its limits."""

    site_header = site_title = "Leadwire"
    index_title = "Administration"

    def login(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponseBase:  # type: ignore[override]
        """Send everybody elsewhere. Django's own form would take any password here, and ask for no second factor."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.GET.get("next", reverse("admin:index")), reverse("account_login"))
        if not self.has_permission(request):
            raise PermissionDenied("This needs an operator.")
        return redirect("admin:index")
