"""Connect an agent: what to paste where, so that a program that speaks MCP works with Leadwire."""

from __future__ import annotations

import json

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import membership_with
from accounts.http import PageRequest
from accounts.rights import Right

KEY = "lws_YOUR_TOKEN"


@login_required
@require_safe
def connect(request: PageRequest) -> HttpResponse:
    """The address of /mcp, in the forms in which clients want it."""
    membership_with(request, Right.READ)
    url = f"{settings.BASE_URL}/mcp"
    headers = {"Authorization": f"Bearer {KEY}"}
    server = {"type": "http", "url": url, "headers": headers}
    snippets = [
        ("Most clients", json.dumps({"mcpServers": {"leadwire": server}}, indent=2)),
        ("Try it with curl", _curl(url)),
        ("Python, with the mcp package", _python(url)),
    ]
    return render(request, "api/connect_page.html", {"url": url, "snippets": snippets})


def _curl(url: str) -> str:
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    headers = f"-H 'Authorization: Bearer {KEY}' -H 'Content-Type: application/json'"
    return f"curl -X POST {url} \\\n  {headers} \\\n  -d '{message}'"


def _python(url: str) -> str:
    return f'''import asyncio

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client


async def main():
    async with httpx2.AsyncClient(headers={{"Authorization": "Bearer {KEY}"}}) as http:
        async with Client(streamable_http_client("{url}", http_client=http)) as client:
            print(await client.call_tool("list_leads", {{"limit": 5}}))


asyncio.run(main())'''
