"""Lines of the audit log from before: they named whom a block was for, and an erased person's data may not live there."""

from typing import Any

from django.db import migrations
from django.db.models import Q

from core.ids import encode

UNKNOWN = "a lead"


def name_leads_by_id(apps: Any, schema_editor: Any) -> None:
    """Put the lead's id in place of "address on channel" (a block) or of a name (its end)."""
    entries = apps.get_model("accounts", "AuditEntry").objects.filter(action__in=["lead.block", "lead.unblock"])
    leads = apps.get_model("leads", "Lead").objects
    for entry in entries.exclude(target__regex="^lead_[0-9a-z]{26}$").iterator():
        address = entry.target.rpartition(" on ")[0]
        found = leads.filter(source_id=entry.source_id).filter(Q(email__iexact=address) | Q(phone_e164=address))
        lead = found.exclude(email="", phone_e164="").first() if address else None
        entry.target = encode("lead", lead.pk) if lead else UNKNOWN
        entry.save(update_fields=["target"])


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_invitations_are_accepted"),
        ("leads", "0005_each_filter_has_an_index"),
    ]

    operations = [migrations.RunPython(name_leads_by_id, migrations.RunPython.noop)]
