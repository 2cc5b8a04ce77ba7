"""Who am I, a lead comes in, an answer goes out: with Python's standard library."""

import json
import os
import urllib.request

URL, TOKEN = os.environ["LEADWIRE_URL"], os.environ["LEADWIRE_TOKEN"]


def call(method, path, body=None, idempotency_key=None):
    """Call the API; the same key again does it once, so a call that got no answer may be repeated."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{URL}/v1/{path}", data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


print("I am", call("GET", "whoami")["name"])
lead = {"first_name": "Ava", "request_title": "Leaking tap", "identifier_type": "email", "email": "ava@example.net",
        "source_id": os.environ["LEADWIRE_SOURCE"]}  # fmt: skip
uid = call("POST", "leads", lead, idempotency_key="order-4712")["uid"]
print("lead", uid)
reply = {"content": "We can come today at four."}
message = call("POST", f"leads/{uid}/conversations/reply", reply, idempotency_key="answer-to-4712")["data"]["message"]
print(message["status"])
