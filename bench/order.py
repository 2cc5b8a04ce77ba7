"""Order in each conversation, with failing answers and killed workers.

    python -m bench.order [--events 10000] [--keys 100]

Every fifth answer is a failure (at most four for one event) and a worker is killed every three seconds; gaps and leases run at a fiftieth. The first
arrivals of a conversation's events must come in the order of their sequence, but for those that the step-aside rule
marks. Ends in a line `inversions N, marked N, lost N, kills N, events N`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from uuid import uuid4

from bench.chaos import keep_alive
from bench.crash_stack import SET_UP, open_rows
from bench.place import inside, servers
from bench.witness import Seen, Witness
from supervisor.stack import PYTHON, ROOT, WORKER, Stack

TIME_SCALE = "0.02"
FAILING, REFUSALS_MAX = 0.2, 4
DRAINED_SECONDS = 900

# Messages of the same leads, one after the other, each in the conversation that it has.
SPEAK = """
import sys
from conversations.services.forms import Submission, take_submission
from accounts.models import Source
from leads.services import Details
source, keys, events = sys.stdin.read().split()
source = Source.objects.get(pk=source)
for number in range(int(events)):
    details = Details(first_name="Ava", email=f"ava{number % int(keys)}@example.net")
    take_submission(source=source, submission=Submission(details, f"Message {number}", nonce=str(number)))
"""


def inversions(witness: Witness) -> tuple[int, int]:
    """Return how many first arrivals came before one with a lower sequence, and how many of those were marked."""
    first: dict[str, dict[int, Seen]] = defaultdict(dict)
    for seen in witness.requests:
        first[seen.conversation].setdefault(seen.sequence, seen)
    found = marked = 0
    for arrivals in first.values():
        newest = 0
        for sequence, seen in arrivals.items():
            if sequence < newest:
                marked += seen.is_aside
                found += not seen.is_aside
            newest = max(newest, sequence)
    return found, marked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=100)
    options = parser.parse_args()
    chance = random.Random(1)
    # At most four times for one event: it has stepped aside by then, and its next gaps would outlast the run.
    answer = lambda seen, before: 500 if before < REFUSALS_MAX and chance.random() < FAILING else 200  # noqa: E731
    witness = Witness(answer=answer, delay=0.005).start()
    with servers() as (_, plain):
        stack = Stack(plain.folder, {**plain.env, "LEADWIRE_TIME_SCALE": TIME_SCALE})
        stack.env |= {"LEADWIRE_PLAIN_STATIC": "1", "LOG_LEVEL": "CRITICAL"}
        try:
            sys.exit(run(stack, witness, options))
        finally:
            stack.stop()


def run(stack: Stack, witness: Witness, options: argparse.Namespace) -> int:
    business = json.loads(inside(stack, SET_UP, f"x{uuid4().hex} {witness.url}"))
    for number in range(2):
        stack._run(
            f"worker-{number}", [*WORKER, "-n", f"o{number}@%h", "-Q", "deliver,send", "-P", "threads", "-c", "2"]
        )
    command = [PYTHON, "manage.py", "shell", "--no-imports", "-c", SPEAK]
    speaker = subprocess.Popen(command, cwd=ROOT, env=stack.env, stdin=subprocess.PIPE, text=True)
    assert speaker.stdin
    speaker.stdin.write(f"{business['source']} {options.keys} {options.events}")
    speaker.stdin.close()
    kills, deadline = 0, time.monotonic() + DRAINED_SECONDS
    while speaker.poll() is None or open_rows(stack):
        keep_alive(stack, 3)
        if speaker.poll() is None:
            os.killpg(stack.child(f"worker-{kills % 2}").process.pid, signal.SIGKILL)
            kills += 1
        if time.monotonic() > deadline:
            break
    found, marked = inversions(witness)
    lost = options.events - len(witness.delivered())
    print(f"inversions {found}, marked {marked}, lost {lost}, kills {kills}, events {options.events}")
    return 0 if (found, lost) == (0, 0) and kills else 1


if __name__ == "__main__":
    main()
