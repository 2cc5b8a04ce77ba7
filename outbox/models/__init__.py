from outbox.models.counters import Counter
from outbox.models.jobs import Job
from outbox.models.lanes import Lane, LaneTimer, SlotKind, Work, work_models

__all__ = ["Counter", "Job", "Lane", "LaneTimer", "SlotKind", "Work", "work_models"]
