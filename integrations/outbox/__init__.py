"""The outbox: written in the business transaction, carried out by a stream, woken by a hint that may be lost."""
