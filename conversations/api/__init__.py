"""The API's operations on leads, conversations and messages."""
