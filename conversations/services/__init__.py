"""One action each, from its first row to the event."""
