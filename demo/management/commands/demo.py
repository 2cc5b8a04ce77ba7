import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from accounts.models import Organization
from demo.phones import write_numbers
from demo.seed import move_crm, seed


class Command(BaseCommand):
    help = "Migrate, collect the static files, and fill an empty database with the demo. `make run` calls it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--crm-url", required=True)
        parser.add_argument("--secrets", type=Path, required=True, help="where the demo CRM's secrets are kept")
        parser.add_argument("--phones", type=Path, required=True, help="the folder of the demo's phone network")
        parser.add_argument("--empty", action="store_true", help="seed nothing: the demo's passwords are known")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=["redoc"])
        path: Path = options["secrets"]
        if options["empty"]:
            return
        if not Organization.objects.exists():
            secrets = seed(options["crm_url"])
            self._keep(path, {"url": options["crm_url"], "key": secrets.key, "signing_secret": secrets.signing_secret})
        elif path.exists():
            stored = json.loads(path.read_text())
            if stored["url"] != options["crm_url"]:
                move_crm(stored["url"], options["crm_url"])
                self._keep(path, {**stored, "url": options["crm_url"]})
        write_numbers(options["phones"])

    def _keep(self, path: Path, secrets: dict[str, str]) -> None:
        aside = path.with_suffix(".tmp")
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(secrets, file)
        aside.rename(path)
