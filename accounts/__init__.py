"""Who is who: organizations, members, roles, and the audit log."""
