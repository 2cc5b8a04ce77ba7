from leads.models.consent import OptOut, digest_of
from leads.models.custom_fields import CustomField
from leads.models.imports import ImportProblem, LeadImport
from leads.models.leads import Lead, LeadQuerySet, SearchText, surviving_id

__all__ = [
    "CustomField", "ImportProblem", "Lead", "LeadImport", "LeadQuerySet", "OptOut", "SearchText", "digest_of",
    "surviving_id",
]  # fmt: skip
