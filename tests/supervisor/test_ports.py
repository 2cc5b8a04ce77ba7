"""Copies of the product beside each other: no two of them, and no two parts of one, get the same port."""

from __future__ import annotations

import socket
import subprocess
import sys

from supervisor import ports
from supervisor.stack import ROOT

CHOOSE = """
import sys
from supervisor import ports
sys.stdin.readline()
print(*(ports.choose(wanted) for wanted in (42525, 42526, 42526)), flush=True)
sys.stdin.readline()
"""


def test_two_parts_of_one_copy_get_two_ports_when_the_one_they_want_is_taken():
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, 0))
        wanted = taken.getsockname()[1]
        chosen = [ports.choose(wanted), ports.choose(wanted)]
    assert len({wanted, *chosen}) == 3


def test_copies_that_start_at_the_same_moment_get_ports_of_their_own():
    command = [sys.executable, "-c", CHOOSE]
    copies = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for copy in copies:
        copy.stdin.write("go\n")
        copy.stdin.flush()
    chosen = [int(port) for copy in copies for port in copy.stdout.readline().split()]
    for copy in copies:
        copy.communicate("end\n")
    assert len(set(chosen)) == len(chosen) == 12
