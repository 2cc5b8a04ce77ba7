"""The web server's entrance: `granian --interface rsgi --loop uvloop config.web:application`."""

from config.wsgi import application as django  # before the others: it sets Django up

# isort: split
from config.document import the_document
from config.web.buffered import Buffered
from config.web.uploads import may_upload

application = Buffered(django, may_upload=may_upload)
the_document()  # now, and not while somebody waits for it
