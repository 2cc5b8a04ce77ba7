"""A card that the product does not have: one folder, and one line of settings."""
