"""Django's backend for PostgreSQL, as Leadwire uses it (settings, DATABASES)."""
