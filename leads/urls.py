"""Imports of leads, and what people do not want any more."""

from django.urls import path

from core import converters  # noqa: F401  makes <job:...> and its like known
from leads.views import consent, imports

app_name = "leads"
urlpatterns = [
    path("leads/import/", imports.imports, name="imports"),
    path("leads/import/<job:job_id>/", imports.lead_import, name="import"),
    path("leads/import/<job:job_id>/errors/", imports.import_errors, name="import-errors"),
    path("settings/consent/", consent.consent, name="consent"),
    path("settings/consent/table/", consent.consent_table, name="consent-table"),
    path("settings/consent/<opt:opt_out_id>/lift/", consent.consent_lift, name="consent-lift"),
]
