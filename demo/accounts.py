"""The demo's logins, in a file that needs nothing to be imported."""

LOGIN = "dana@northside.example"
PASSWORD = "leadwire-demo"  # noqa: S105  the demo prints it
