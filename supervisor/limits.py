"""What the system lets our processes have."""

from __future__ import annotations

import resource

OPEN_FILES = 65_536


def raise_open_files() -> None:
    """Let this process and its children have as many open files as they may: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft_limit = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < soft_limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft_limit, hard))
