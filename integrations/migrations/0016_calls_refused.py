from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0015_claims_in_flight"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="apicall",
            index=models.Index(
                condition=models.Q(("status__gte", 400)), fields=["organization_id", "-id"], name="call_refused"
            ),
        ),
    ]
