"""The pages of API tokens, of agents, and of calls. The API's own paths are in config/api_urls.py."""

from django.urls import path

from api.views import agents, calls, tokens
from core import converters  # noqa: F401  makes <tok:...> and its like known

app_name = "api"
urlpatterns = [
    path("settings/tokens/", tokens.tokens_page, name="tokens"),
    path("settings/tokens/<tok:token_id>/revoke/", tokens.token_revoke, name="token-revoke"),
    path("settings/tokens/<tok:token_id>/rotate/", tokens.token_rotate, name="token-rotate"),
    path("settings/tokens/<tok:token_id>/take-over/", tokens.token_transfer, name="token-take-over"),
    path("settings/agents/", agents.connect, name="connect"),
    path("activity/calls/", calls.calls, name="calls"),
    path("activity/calls/<call:call_id>/", calls.api_call, name="api-call"),
]
