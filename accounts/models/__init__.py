from accounts.models.audit import AuditEntry
from accounts.models.letters import Letter
from accounts.models.organizations import Organization
from accounts.models.sources import Source
from accounts.models.users import Membership, SourceAccess, User

__all__ = ["AuditEntry", "Letter", "Membership", "Organization", "Source", "SourceAccess", "User"]
