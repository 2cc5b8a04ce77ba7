"""Start what Leadwire needs on one machine, and stop all of it again.

`python -m supervisor run` serves the product with demo data, `... exec -- COMMAND` runs one command
with a database and a broker at hand. Neither needs an installed server, an account or root.
"""
