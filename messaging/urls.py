"""The channels of a source."""

from django.urls import path

from core import converters  # noqa: F401  makes <src:...> and its like known
from messaging import views

app_name = "messaging"
urlpatterns = [
    path("sources/<src:source_id>/messaging/channels/", views.channels, name="channels"),
    path(
        "sources/<src:source_id>/messaging/channels/<int:connection_id>/", views.channel_connect, name="channel-connect"
    ),
]
