"""Who is talking: leads, and what they consent to."""
