from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class Config(AppConfig):
    """The outermost ring: it puts the layers together and is imported by none of them."""

    name = "config"

    def ready(self) -> None:
        from config import checks  # noqa: F401


class Admin(AdminConfig):
    default_site = "config.admin.AdminSite"
