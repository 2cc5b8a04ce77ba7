"""The Integrations tab. What only one card has is in the URLs of that card's app."""

from django.urls import path

from core import converters  # noqa: F401  makes <src:...> and its like known
from integrations import locations, views

app_name = "integrations"
TAB = "sources/<src:source_id>/messaging/integrations/"
urlpatterns = [
    path(TAB, views.integrations, name="integrations"),
    path(f"{TAB}<slug:slug>/locations/", locations.locations, name="locations"),
    path(f"{TAB}<slug:slug>/", views.card, name="card"),
    path(f"{TAB}<slug:slug>/set-up/", views.card_set_up, name="card-set-up"),
    path(f"{TAB}<slug:slug>/enabled/", views.card_switch, name="card-switch"),
    path(f"{TAB}<slug:slug>/inherits/", views.card_inherits, name="card-inherits"),
    path(f"{TAB}<slug:slug>/options/", views.card_options, name="card-options"),
    path(f"{TAB}<slug:slug>/check/", views.card_check, name="card-check"),
    path(f"{TAB}<slug:slug>/regenerate/", views.card_regenerate, name="card-regenerate"),
    path(f"{TAB}<slug:slug>/overlap/", views.card_end_overlap, name="card-end-overlap"),
    path(f"{TAB}<slug:slug>/disconnect/", views.card_disconnect, name="card-disconnect"),
]
