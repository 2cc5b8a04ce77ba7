"""Where providers call us, the organization's connections, and the channels of a source."""

from django.urls import path

from core import converters  # noqa: F401  makes <src:...> and its like known
from messaging import callbacks
from messaging.views import connections, consent, domains, mail_settings, source_channels

app_name = "messaging"
SETTINGS = "settings/channels/"
CONNECTION = f"{SETTINGS}<int:connection_id>/"
urlpatterns = [
    path("channels/<str:token>/", callbacks.provider_call, name="provider-call"),
    # To an address with this ending Mailgun posts whole mails.
    path("channels/<str:token>/mime", callbacks.provider_call, name="provider-mail"),
    path(SETTINGS, connections.connections, name="connections"),
    path(f"{SETTINGS}new/", connections.connection_create, name="connection-create"),
    path(f"{SETTINGS}consent/<slug:provider>/", consent.consent_begin, name="consent-begin"),
    path(f"{SETTINGS}consent/<slug:provider>/done/", consent.consent_done, name="consent-done"),
    path(f"{CONNECTION}consent/", consent.consent_again, name="consent-again"),
    path(CONNECTION, connections.connection, name="connection"),
    path(f"{CONNECTION}edit/", connections.connection_edit, name="connection-edit"),
    path(f"{CONNECTION}domain/", domains.connection_domain, name="connection-domain"),
    path(f"{CONNECTION}mail/", mail_settings.mail_settings, name="mail-settings"),
    path(f"{CONNECTION}mail/preview/", mail_settings.mail_preview, name="mail-preview"),
    path(f"{CONNECTION}check/", connections.connection_check, name="connection-check"),
    path(f"{CONNECTION}test/", connections.connection_test, name="connection-test"),
    path(f"{CONNECTION}sources/", connections.connection_use, name="connection-use"),
    path(f"{CONNECTION}remove/", connections.connection_remove, name="connection-remove"),
    path("sources/<src:source_id>/messaging/channels/", source_channels.channels, name="channels"),
    path(
        "sources/<src:source_id>/messaging/channels/<int:built_in_id>/",
        source_channels.channel_connect,
        name="channel-connect",
    ),
]
