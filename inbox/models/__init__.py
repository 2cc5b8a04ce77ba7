from inbox.models.bulk_changes import BulkChange
from inbox.models.presence import Presence
from inbox.models.read_marks import ReadMark
from inbox.models.saved_replies import SavedReply
from inbox.models.saved_views import SavedView

__all__ = ["BulkChange", "Presence", "ReadMark", "SavedReply", "SavedView"]
