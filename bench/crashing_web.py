"""The web application of a process that kills itself at a named point; see crashing.py."""

from __future__ import annotations

import os
from pathlib import Path

from bench.crashing import arm
from config.web import application

arm(os.environ["BENCH_CRASH_AT"], Path(os.environ["BENCH_CRASH_MARKER"]))
__all__ = ["application"]
