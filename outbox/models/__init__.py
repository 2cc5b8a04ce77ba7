from outbox.models.counters import Tally
from outbox.models.jobs import Job
from outbox.models.lanes import Clock, Lane, Pace, Work

__all__ = ["Clock", "Job", "Lane", "Pace", "Tally", "Work"]
