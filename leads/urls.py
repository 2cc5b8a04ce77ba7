"""Imports of leads."""

from django.urls import path

from core import converters  # noqa: F401  makes <job:...> and its like known
from leads import views

app_name = "leads"
urlpatterns = [
    path("leads/import/", views.imports, name="imports"),
    path("leads/import/<job:job_id>/", views.lead_import, name="import"),
    path("leads/import/<job:job_id>/errors/", views.import_errors, name="import-errors"),
]
