"""How leads and answers get in and out: sources, cards, keys, channels, events, webhooks, the outbox."""
