"""Django settings. What an operator may set is documented in docs/settings.md."""

from datetime import timedelta

from csp.constants import NONCE, NONE, SELF

from config.env import BASE_DIR, at_least, env, networks, required
from config.file_store import file_store
from config.logs import logging_of
from config.oauth_mailboxes import OAUTH_MAILBOXES  # noqa: F401  a setting

# --- what an operator sets ---
SECRET_KEY = required("SECRET_KEY")
LEADWIRE_ENCRYPTION_KEYS: list[str] = env.list("LEADWIRE_ENCRYPTION_KEYS")  # Fernet keys, the newest first
DEBUG = env.bool("DEBUG", default=False)
BASE_URL: str = env.str("BASE_URL", default="http://localhost:8000").rstrip("/")
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1"])
CSRF_TRUSTED_ORIGINS: list[str] = [BASE_URL]
BROKER_URL: str = env.str("BROKER_URL", default="")
# The name under which our own mail server says in Authentication-Results what it checked (RFC 8601).
MAIL_AUTHSERV_ID: str = env.str("MAIL_AUTHSERV_ID", default="")
# Where providers of channels are. Tests and the demo have servers of their own.
LEADWIRE_TWILIO_URL: str = env.str("LEADWIRE_TWILIO_URL", default="https://api.twilio.com").rstrip("/")
LEADWIRE_META_URL: str = env.str("LEADWIRE_META_URL", default="https://graph.facebook.com/v24.0").rstrip("/")
LEADWIRE_POSTMARK_URL: str = env.str("LEADWIRE_POSTMARK_URL", default="https://api.postmarkapp.com").rstrip("/")
LEADWIRE_MAILGUN_URL: str = env.str("LEADWIRE_MAILGUN_URL", default="https://api.mailgun.net/v3").rstrip("/")
LEADWIRE_MAILGUN_EU_URL: str = env.str("LEADWIRE_MAILGUN_EU_URL", default="https://api.eu.mailgun.net/v3").rstrip("/")
LEADWIRE_SENDGRID_URL: str = env.str("LEADWIRE_SENDGRID_URL", default="https://api.sendgrid.com/v3").rstrip("/")
LEADWIRE_SENDGRID_EU_URL: str = env.str("LEADWIRE_SENDGRID_EU_URL", default="https://api.eu.sendgrid.com/v3").rstrip(
    "/"
)
LEADWIRE_SES_URL: str = env.str("LEADWIRE_SES_URL", default="")  # empty: where boto3 finds AWS
# A language model that classifies replies (conversations/services/language_model.py). Without the URL none is asked.
LEADWIRE_MODEL_URL: str = env.str("LEADWIRE_MODEL_URL", default="").rstrip("/")
LEADWIRE_MODEL_NAME: str = env.str("LEADWIRE_MODEL_NAME", default="")
LEADWIRE_MODEL_KEY: str = env.str("LEADWIRE_MODEL_KEY", default="")
# A virus scanner: tcp://host:3310 or unix:///path/to/clamd.sock. With it no file is opened before it was scanned.
LEADWIRE_SCANNER_URL: str = env.str("LEADWIRE_SCANNER_URL", default="")
MAIL_DOMAIN: str = env.str("MAIL_DOMAIN", default="mail.localhost")
LEADWIRE_ALLOW_NETWORKS = networks("LEADWIRE_ALLOW_NETWORKS")
LEADWIRE_ALLOW_HTTP_WEBHOOKS: bool = env.bool("LEADWIRE_ALLOW_HTTP_WEBHOOKS", default=False)
TRUSTED_PROXIES: int = env.int("TRUSTED_PROXIES", default=0)  # how many of our own proxies add X-Forwarded-For
DEMO_MAIL_DIR: str = env.str("DEMO_MAIL_DIR", default="")  # only `make run` sets it: /demo/mail/ then exists
DEMO_PHONE_DIR: str = env.str("DEMO_PHONE_DIR", default="")  # and these: /demo/phone/
DEMO_PHONE_URL: str = env.str("DEMO_PHONE_URL", default="")
# Checks of `manage.py check --deploy` that the operator knows of and takes.
SILENCED_SYSTEM_CHECKS: list[str] = env.list("LEADWIRE_ACCEPT", default=[])
IS_SECURE = BASE_URL.startswith("https://")

# --- the house ---
# Each app has a card of the Integrations tab (its module `card`), in the order of the tab.
INTEGRATION_CARDS = ["webhooks", "integrations.lead_reply_api"]
INSTALLED_APPS = [
    "core",
    "outbox",
    "accounts",
    "api",
    "messaging",
    "integrations",
    "leads",
    *INTEGRATION_CARDS,
    "conversations",
    "inbox",
    "sources",
    "demo",
    "config.apps.Config",
    "config.apps.Admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
]
MIDDLEWARE = [
    "config.middleware.RequestId",
    "config.middleware.RefusedBody",
    "config.middleware.Unavailable",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.middleware.Machines",
    # What follows is for people, who have a browser.
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.LoggedOut",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.Private",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.CurrentMembership",
]
# What workers do, by the queue that they serve: a mail that takes long and a large import keep nobody else waiting.
BACKGROUND_JOBS = {
    "jobs": {
        "letter": "accounts.letters.send",
        "ask-model": "conversations.services.language_model.ask_model",
        "notify-team": "conversations.services.notifications.write_to_team",
        "text-team": "conversations.services.team_texts.prepare",
        "send-text": "conversations.services.team_texts.send",
        "endpoint-trouble": "webhooks.services.trouble.tell_of_trouble",
        "replay": "webhooks.services.replays.REPLAYS",
        "wake-conversation": "conversations.services.filing.wake_snoozed",
    },
    "mail": {
        "read-mail": "conversations.services.mail.read_mail",
        "read-call": "conversations.services.provider_calls.read_call",
    },
    "files": {
        "prepare-files": "conversations.services.attachments.prepare_files",
        "remove-file": "conversations.services.attachments.remove_file",
    },
    "imports": {"import": "leads.imports.running.run_import"},
}
# Who writes each kind of letter to people of the team.
LETTER_WRITERS = {
    "invitation": "accounts.services.invitations.write_invitation",
    "password": "accounts.services.invitations.write_password_link",
    "unanswered": "conversations.services.unanswered.write_of_unanswered",
    "new-lead": "conversations.services.notifications.write_of_lead",
    "trouble": "webhooks.services.trouble.write_of_trouble",
    "mailbox": "messaging.oauth.tokens.write_of_mailbox",
}
FORM_RENDERER = "core.forms.FormRenderer"
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "config.navigation.navigation",
            ],
            "builtins": ["core.templatetags.leadwire"],
        },
    }
]
APPEND_SLASH = False

# --- the database: the queue of record, never waited for without a bound ---
_TIMEOUTS = {"statement_timeout": 10_000, "lock_timeout": 3_000, "idle_in_transaction_session_timeout": 15_000}  # ms
_HAS_TIMEOUTS = not env.bool("LEADWIRE_NO_TIMEOUTS", default=False)  # without them for migrations
# A pooler between us and PostgreSQL may give each transaction another session, where our statements are not prepared.
_PREPARES = env.bool("LEADWIRE_PREPARED_STATEMENTS", default=True)
DATABASES = {
    "default": {
        **env.db("DATABASE_URL"),
        "ENGINE": "config.postgresql",
        "CONN_MAX_AGE": None,  # a connection for each thread, for as long as it lives
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            "server_side_binding": _PREPARES,
            "prepare_threshold": 1 if _PREPARES else None,
            **({"options": " ".join(f"-c {name}={ms}" for name, ms in _TIMEOUTS.items())} if _HAS_TIMEOUTS else {}),
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Login limits are counted here, so that they hold over all processes and restarts.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 1_000_000},  # wrong passwords are counted here: a full cache would forget them
    }
}

# --- who logs in ---
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "config.account_adapter.AccountAdapter"
MFA_ADAPTER = "accounts.adapter.MFAAdapter"
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # people come by invitation, which proves the address
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # strangers get no mail from us
ACCOUNT_LOGIN_ON_PASSWORD_RESET = (
    True  # an invitation ends where the work is; a second factor is asked for all the same
)
# allauth's own writes an unverified address for whoever is asked about, and without a verified one there is no
# second factor.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key", "reset_password": "20/m/ip,5/m/key"}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Leadwire"
SESSION_COOKIE_AGE = int(timedelta(days=14).total_seconds())
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_SECURE
SESSION_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if IS_SECURE else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    },
}

# --- what is kept ---
EVENTS_KEPT_DAYS = at_least(env.int("EVENTS_KEPT_DAYS", default=90), 10, "EVENTS_KEPT_DAYS")  # and their attempts
MAILS_KEPT_DAYS = at_least(env.int("MAILS_KEPT_DAYS", default=90), 1, "MAILS_KEPT_DAYS")  # as they came in
PROVIDER_CALLS_KEPT_DAYS = at_least(env.int("PROVIDER_CALLS_KEPT_DAYS", default=30), 1, "PROVIDER_CALLS_KEPT_DAYS")
API_CALLS_KEPT_DAYS = at_least(env.int("API_CALLS_KEPT_DAYS", default=30), 1, "API_CALLS_KEPT_DAYS")

# --- limits of the API: for each card, member or app; reports have stricter ones ---
LEADWIRE_CALLS_PER_MINUTE = at_least(env.int("LEADWIRE_CALLS_PER_MINUTE", default=100), 1, "LEADWIRE_CALLS_PER_MINUTE")
LEADWIRE_CALLS_PER_HOUR = at_least(env.int("LEADWIRE_CALLS_PER_HOUR", default=3_000), 1, "LEADWIRE_CALLS_PER_HOUR")
LEADWIRE_UNKNOWN_KEYS_PER_MINUTE = 30  # from one address

METRICS_TOKEN = env.str("METRICS_TOKEN", default="")  # for /metrics; empty: there is no such page

# --- webhooks ---
# Scales the outbox's gaps, leases and limits. 0.001 turns a day into 86 seconds. Tests only.
LEADWIRE_TIME_SCALE = env.float("LEADWIRE_TIME_SCALE", default=1.0)

# --- mail out: EMAIL_URL is smtp://, smtp+tls:// or smtp+ssl:// ---
EMAIL_TIMEOUT = 20  # seconds
vars().update(env.email("EMAIL_URL", default="smtp://localhost:25"))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"Leadwire <no-reply@{MAIL_DOMAIN}>")

CSRF_FAILURE_VIEW = "config.errors.csrf_failure"

# --- the API ---
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_100_000  # bytes: the largest body that any page or endpoint takes
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "integrations.lead_reply_api.authentication.ReplyKeyAuthentication",
        "api.authentication.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "config.schema.Schema",
    "EXCEPTION_HANDLER": "api.handler.problem_response",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # `format` is a parameter that nobody knows, and no other way to write `Accept`
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Leadwire API",
    "DESCRIPTION": "Leads, conversations and replies of a business, for its own systems.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "POSTPROCESSING_HOOKS": ["config.schema.describe_problems", "config.schema_examples.add_examples"],
}

MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # a fresh key is no business of a cookie
MESSAGE_TAGS = {20: "off", 25: "ok", 30: "warn", 40: "bad"}  # our classes for Django's levels

# --- words, times, files ---
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / ".data" / "static"))
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700  # they hold people's data
MEDIA_ROOT = env.str("MEDIA_ROOT", default=str(BASE_DIR / ".data" / "files"))  # imports; the same for web and workers
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    "attachments": file_store(f"{MEDIA_ROOT}/attachments"),
}
if not env.bool("LEADWIRE_COMPRESS_STATIC", default=True):  # the demo: compressing takes longer than all the rest
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
if DEBUG or env.bool("LEADWIRE_PLAIN_STATIC", default=False):  # tests run without collectstatic
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    WHITENOISE_USE_FINDERS = True

LOGGING = logging_of(level=env.str("LOG_LEVEL", default="INFO"))
