"""The inbox: what the team reads, answers and files, on top of conversations."""
