"""A provider that takes messages as Twilio does, each after some milliseconds, and writes down when each came.

python -m bench.slow_provider PORT MILLISECONDS FILE
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from urllib.parse import parse_qs
from uuid import uuid4

from aiohttp import web


def make(milliseconds: float, path: str) -> web.Application:
    file = open(path, "a", buffering=1)  # noqa: SIM115  for as long as the process lives

    async def take(request: web.Request) -> web.Response:
        came_at = time.time()
        fields = parse_qs((await request.read()).decode())
        file.write(f"{fields['From'][0]} {came_at}\n")
        await asyncio.sleep(milliseconds / 1000)
        body = json.dumps({"sid": f"SM{uuid4().hex}", "status": "queued", "num_segments": "1"})
        return web.Response(text=body, status=201, content_type="application/json")

    application = web.Application()
    application.router.add_post("/{path:.*}", take)
    return application


if __name__ == "__main__":
    web.run_app(make(float(sys.argv[2]), sys.argv[3]), host="127.0.0.1", port=int(sys.argv[1]), print=None)
