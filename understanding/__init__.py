"""What a text means: pure functions, without Django."""
