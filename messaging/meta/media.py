"""Files as the Cloud API takes them: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media"""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from messaging.base import OutgoingFile

MB = 1024 * 1024
# What WhatsApp shows by itself, and how large it may be. Everything else is a document.
SHOWN = {
    "image": ({"image/jpeg", "image/png"}, 5 * MB),
    "video": ({"video/mp4", "video/3gpp"}, 16 * MB),
    "audio": ({"audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg"}, 16 * MB),
}
HOSTS = (".fbsbx.com", ".facebook.com", ".whatsapp.net")  # where Meta keeps media


def media_body(file: OutgoingFile, media_id: str, text: str) -> dict[str, Any]:
    """Return the part of a message that names an uploaded file. Audio has no text, so with one it is a document."""
    kind = next((kind for kind, (types, most) in SHOWN.items() if file.content_type in types and file.size <= most), "")
    kind = "document" if not kind or (kind == "audio" and text) else kind
    media = {"id": media_id} | ({"caption": text} if text else {})
    return {"type": kind, kind: media | ({"filename": file.name} if kind == "document" else {})}


def upload_body(file: OutgoingFile) -> tuple[str, bytes]:
    """Return the content type and the body of an upload (RFC 7578)."""
    boundary = secrets.token_hex(16)
    name = file.name.replace("\\", "_").replace('"', "%22")
    fields = [("messaging_product", "whatsapp"), ("type", file.content_type)]
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n' for field, value in fields
    )
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    head += f"Content-Type: {file.content_type}\r\n\r\n"
    body = head.encode() + file.read() + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def is_address_of_media(url: str) -> bool:
    """True for an address at Meta, to which our token may go, or at the server that stands for Meta here."""
    if url.startswith(f"{settings.LEADWIRE_META_URL}/"):
        return True
    try:
        place = urlsplit(url)
    except ValueError:
        return False
    return place.scheme == "https" and f".{place.hostname or ''}".endswith(HOSTS)
