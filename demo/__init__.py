"""What only the demo of `make run` has: its data, its mail sink and the page that shows the mails."""
