"""A hundred thousand random interleavings of every pair of operations of the outbox, on real connections.

    python -m bench.interleavings [--rounds 100000] [--processes 2] [--seed 1]

Ends in a line `N interleavings, P problems, D deadlocks`. Fails when there was any. Each process has a database of its
own, so that one does not look at the other's rows in the middle of its work.
"""

from __future__ import annotations

import argparse
import itertools
import random
import subprocess
import sys
from collections import Counter

from bench.place import servers

SHOWN = 20


def run(rounds: int, seed: int) -> int:
    """Interleave in this process. Return how many problems there were."""
    import django

    django.setup()
    from bench.interleaving import World, deadlocks, pairs

    random.seed(seed)
    world, problems = World(), Counter[str]()
    before = deadlocks()
    for number, (first, second) in enumerate(itertools.islice(pairs(world), rounds), 1):
        problems.update(world.interleave(first, second))
        if number % 5_000 == 0:
            print(f"  {number:,}: {problems.total()} problems", flush=True)
    locked = deadlocks() - before
    for problem, count in problems.most_common(SHOWN):
        print(f"{count} x {problem}")
    print(f"{rounds:,} interleavings, {problems.total()} problems, {locked} deadlocks", flush=True)
    world.close()
    return problems.total() + locked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inside", action="store_true", help="run in this process, on the database of the environment")
    options = parser.parse_args()
    if options.inside:
        sys.exit(run(options.rounds, options.seed) > 0)
    with servers(is_migrated=False) as (_, stack):
        import psycopg

        children = []
        for number in range(options.processes):
            base, _, name = stack.env["DATABASE_URL"].rpartition("/")
            with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE interleaved{number}")
            env = {**stack.env, "DATABASE_URL": f"{base}/interleaved{number}" + name[name.find("?") :] * ("?" in name)}
            subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=env, check=True)
            share = options.rounds // options.processes
            words = ["--inside", "--rounds", str(share), "--seed", str(options.seed + number)]
            children.append(subprocess.Popen([sys.executable, "-m", "bench.interleavings", *words], env=env))
        ended = [child.wait() for child in children]
        sys.exit(any(ended))


if __name__ == "__main__":
    main()
