"""The pages of the team, and the public form."""
