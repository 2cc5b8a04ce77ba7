"""One action each, with its audit line."""
