from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig


class Config(AppConfig):
    """The outermost ring: it puts the layers together and is imported by none of them."""

    name = "config"

    def ready(self) -> None:
        from config import checks  # noqa: F401


class Admin(AdminConfig):
    default_site = "config.admin.AdminSite"

    def ready(self) -> None:
        super().ready()
        from django.contrib import admin

        for app in ("mfa", "account"):  # allauth's own admin pages would show second factors
            for model in apps.get_app_config(app).get_models():
                if admin.site.is_registered(model):
                    admin.site.unregister(model)
