from outbox.models.counters import Counter
from outbox.models.jobs import Job
from outbox.models.lanes import Lane, LaneTimer, SlotKind, Work

__all__ = ["Counter", "Job", "Lane", "LaneTimer", "SlotKind", "Work"]
