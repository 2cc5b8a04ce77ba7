"""Members, the audit log, and a person's own account."""

from django.urls import path

from accounts.views import account, audit, members
from core import converters  # noqa: F401  makes <mem:...> and its like known

app_name = "accounts"
urlpatterns = [
    path("settings/members/", members.members_page, name="members"),
    path("settings/members/<mem:member_id>/", members.member, name="member"),
    path("settings/invitations/<mem:member_id>/", account.invitation, name="invitation"),
    path("settings/account/", account.account, name="account"),
    path("settings/account/time-zone/", account.zone, name="zone"),
    path("settings/account/texts/", account.texts, name="texts"),
    path("settings/audit/", audit.audit, name="audit"),
    path("settings/organization/", account.switch_organization, name="switch-organization"),
]
