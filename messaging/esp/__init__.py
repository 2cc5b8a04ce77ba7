"""Mail by email service providers (ESPs): django-anymail writes to them and understands what they report."""
