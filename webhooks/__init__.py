"""Events and how they get out: the REST Webhook card, webhooks of an organization, deliveries, replays, the feed."""
