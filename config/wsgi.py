"""The web server's entrance."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from config import celery  # noqa: E402

celery.send_hints_briefly()
