"""Mailboxes where one signs in: the application that the operator registered there, and the provider's addresses."""

from config.env import env

OAUTH_MAILBOXES = {
    "google": {
        "label": "Google",
        "client_id": env.str("LEADWIRE_GOOGLE_CLIENT_ID", default=""),
        "client_secret": env.str("LEADWIRE_GOOGLE_CLIENT_SECRET", default=""),
        "authorize_url": "https://accounts.google.com/o/oauth2/v2/auth",
        "token_url": "https://oauth2.googleapis.com/token",
        "scopes": "https://mail.google.com/ openid email",
        "parameters": {"access_type": "offline", "prompt": "consent"},
        "servers": {"smtp_host": "smtp.gmail.com", "imap_host": "imap.gmail.com"},
    },
    "microsoft": {
        "label": "Microsoft 365",
        "client_id": env.str("LEADWIRE_MICROSOFT_CLIENT_ID", default=""),
        "client_secret": env.str("LEADWIRE_MICROSOFT_CLIENT_SECRET", default=""),
        "authorize_url": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        "token_url": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        "scopes": "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send"
        " offline_access openid email",
        "parameters": {"prompt": "select_account"},
        "servers": {"smtp_host": "smtp.office365.com", "imap_host": "outlook.office365.com"},
    },
}
