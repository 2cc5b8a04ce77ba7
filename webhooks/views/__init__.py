"""The pages of sources' settings, cards and deliveries."""
