"""A tiny CRM: it hears of leads by Leadwire's REST Webhook and answers them by the Lead Reply API.

It needs Python 3.9 and nothing else. Set LEADWIRE_URL, LEADWIRE_KEY (the card's secret key) and LEADWIRE_SIGNING_SECRET
(whsec_...), then run `python crm.py 8010` and give the card the URL http://your-host:8010/leadwire.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LEADWIRE_URL = os.environ["LEADWIRE_URL"]
KEY = os.environ["LEADWIRE_KEY"]
SIGNING_SECRET = os.environ["LEADWIRE_SIGNING_SECRET"]
TOLERANCE_SECONDS = 300
BODY_MAX_BYTES = 1_000_000
answering = ThreadPoolExecutor(4)


def is_genuine(headers, body):
    """Check the Standard Webhooks signature: HMAC-SHA256 over `id.timestamp.body`, and that it is fresh."""
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(SIGNING_SECRET.removeprefix("whsec_"))
    digest = hmac.new(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(digest)
    return any(hmac.compare_digest(part.encode(), expected) for part in headers.get("webhook-signature", "").split())


def answer(event):
    """Answer a lead. The event's id as Idempotency-Key: a webhook that comes twice is answered once."""
    lead = event["data"]["lead"]
    words = f"Hello {lead['first_name'] or 'there'}, thank you for writing. A plumber calls you within the hour."
    request = urllib.request.Request(
        f"{LEADWIRE_URL}/v1/leads/{lead['id']}/conversations/reply",
        data=json.dumps({"content": words}).encode(),
        headers={
            "Authorization": f"Bearer {KEY}",
            "Content-Type": "application/json",
            "Idempotency-Key": event["id"],
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            print("answered", lead["id"], response.status, flush=True)
    except OSError as error:
        print("not answered", lead["id"], error, flush=True)


class Hook(BaseHTTPRequestHandler):
    """POST /leadwire: check the signature, say 204 at once, answer the lead afterwards."""

    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), BODY_MAX_BYTES))
        if self.path != "/leadwire":
            return self.finish_with(404)
        if not is_genuine(self.headers, body):
            return self.finish_with(401)
        event = json.loads(body)
        print("heard", event["type"], event["id"], flush=True)
        if event["type"] == "lead.created":
            answering.submit(answer, event)
        return self.finish_with(204)

    def finish_with(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Quiet: what matters is printed above."""


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8010
    print(f"listening on http://127.0.0.1:{port}/leadwire", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Hook).serve_forever()
