import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.celery import send_hints_briefly
from config.checks import refuse_unsafe
from messaging.email.listener import make_controller


class Command(BaseCommand):
    help = "Listen for mail of leads by SMTP (or LMTP) and keep it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=2525)
        parser.add_argument("--lmtp", action="store_true", help="speak LMTP, for a mail server in front of us")

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_unsafe()
        send_hints_briefly()  # each mail is read at once, and not when a worker next looks by itself
        controller = make_controller(options["host"], options["port"], lmtp=options["lmtp"])
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        controller.start()
        self.stdout.write(f"listening on {options['host']}:{options['port']}")
        stop.wait()
        controller.stop()
