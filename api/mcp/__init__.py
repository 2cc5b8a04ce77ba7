"""The Model Context Protocol for agents: the API's own operations as tools, with its keys, scopes and limits."""
