from conversations.channels.base import Channel


class Website(Channel):
    """The form on the business's website: leads write there, answers go by another channel."""

    slug, label = "website", "Website form"
