"""Small servers that stand for providers: each follows its provider's published contract, and runs as a process."""
