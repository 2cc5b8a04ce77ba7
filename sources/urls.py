"""Sources, and the test lead."""

from django.urls import path

from core import converters  # noqa: F401  makes <src:...> and its like known
from sources import timing_views, views

app_name = "sources"
urlpatterns = [
    path("", views.home, name="home"),
    path("sources/", views.sources, name="sources"),
    path("sources/new/", views.source_create, name="source-create"),
    path("sources/test-leads/<conv:conversation_id>/", views.trial, name="trial"),
    path("sources/<src:source_id>/", views.source, name="source"),
    path("sources/<src:source_id>/edit/", views.source_edit, name="source-edit"),
    path("sources/<src:source_id>/messaging/timing/", timing_views.timing_page, name="timing"),
    path("sources/<src:source_id>/messaging/timing/hours/", timing_views.hours_save, name="hours-save"),
    path("sources/<src:source_id>/messaging/timing/unanswered/", timing_views.rule_save, name="rule-save"),
    path("sources/<src:source_id>/archive/", views.source_archive, name="source-archive"),
    path("sources/<src:source_id>/test-lead/", views.trial_start, name="trial-start"),
]
