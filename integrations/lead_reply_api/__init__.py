"""The Lead Reply API card, and the callers with its key."""
