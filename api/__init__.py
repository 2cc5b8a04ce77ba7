"""How programs call: tokens, callers, limits, problems, idempotency, MCP."""
