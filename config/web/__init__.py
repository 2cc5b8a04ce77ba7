"""The web server's entrance: `granian --interface rsgi --loop uvloop config.web:application`."""

from config.wsgi import application as django  # before the others: it sets Django up

# isort: split
from config.checks import refuse_unsafe
from config.document import the_document
from config.web.buffered import Buffered
from config.web.uploads import uploader

refuse_unsafe()
application = Buffered(django, uploader=uploader)
the_document()  # now, and not while somebody waits for it
