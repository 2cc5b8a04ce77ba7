"""The Integrations tab: what a card is, and what people do with it."""
