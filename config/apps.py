from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig


class Config(AppConfig):
    """The outermost ring: it puts the layers together and is imported by none of them."""

    name = "config"

    def ready(self) -> None:
        from django.contrib import admin

        from config import checks  # noqa: F401

        for name in ("mfa", "account"):  # allauth's own admin pages would show second factors
            for model in apps.get_app_config(name).get_models():
                if admin.site.is_registered(model):
                    admin.site.unregister(model)


class Admin(AdminConfig):
    default_site = "config.admin.AdminSite"
