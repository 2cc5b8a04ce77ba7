"""How messages travel: channel connections, and the wire of each channel."""
