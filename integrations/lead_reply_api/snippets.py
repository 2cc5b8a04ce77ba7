"""Ready code for the Lead Reply API card, with the real base URL and source, and the real key while it is visible."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from accounts.models import Source

_CURL = """# 1. Whose key is it?
curl {base}/v1/whoami -H "Authorization: Bearer {key}"

# 2. The newest leads of {source}.
curl "{base}/v1/leads?source_id={source_id}&limit=5" -H "Authorization: Bearer {key}"

# 3. Answer one: LEAD_ID is in the webhook, or above. Try it with a test lead first.
curl {base}/v1/leads/LEAD_ID/conversations/reply \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{{"content": "Thanks! We can come by today at 4."}}'"""
_PYTHON = """# Python 3, no packages needed.
import json, sys, urllib.request

def call(path, body=None):
    request = urllib.request.Request("{base}/v1" + path,
        data=json.dumps(body).encode() if body else None,
        headers={{"Authorization": "Bearer {key}",
                 "Content-Type": "application/json"}})
    return json.load(urllib.request.urlopen(request))

print(call("/whoami"))
print(call("/leads?source_id={source_id}&limit=5"))
if len(sys.argv) > 1:  # the id of a lead of {source}: it is answered
    print(call(f"/leads/{{sys.argv[1]}}/conversations/reply",
               {{"content": "Thanks! We can come by today at 4."}}))"""
_JAVASCRIPT = """// Node 18 or newer.
const call = async (path, body) => {{
  const answer = await fetch("{base}/v1" + path, {{
    method: body ? "POST" : "GET", body: body && JSON.stringify(body),
    headers: {{ Authorization: "Bearer {key}", "Content-Type": "application/json" }},
  }});
  return answer.json();
}};
console.log(await call("/whoami"));
console.log(await call("/leads?source_id={source_id}&limit=5"));
const lead = process.argv[2];  // the id of a lead of {source}: it is answered
if (lead) console.log(await call(`/leads/${{lead}}/conversations/reply`,
  {{ content: "Thanks! We can come by today at 4." }}));"""


@dataclass(frozen=True)
class Snippet:
    slug: str
    label: str
    code: str


def snippets(source: Source, key: str | None) -> list[Snippet]:
    """Return the snippets, with the key while it is visible."""
    shown = key or "YOUR_SECRET_KEY"
    name = " ".join(source.name.split()).replace("*/", "")
    values = {"base": settings.BASE_URL, "key": shown, "source": name, "source_id": source.public_id}
    languages = (("curl", "curl", _CURL), ("python", "Python", _PYTHON), ("javascript", "JavaScript", _JAVASCRIPT))
    return [Snippet(slug, label, code.format(**values)) for slug, label, code in languages]
