from django.apps import AppConfig


class LeadReplyApiConfig(AppConfig):
    name = "integrations.lead_reply_api"
