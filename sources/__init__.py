"""A source as a whole: create, change, archive, its overview, and the test lead."""
