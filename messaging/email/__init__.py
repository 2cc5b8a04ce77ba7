"""Mail that comes in: from the listener to a message."""
