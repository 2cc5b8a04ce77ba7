"""The engine: work rows, lanes, claims, streams and background jobs. It knows nobody's words."""
