"""Links to files that need no login and end by themselves: for programs, for providers, and to upload."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer

from conversations.models import Attachment
from core.ids import decode, encode
from messaging.files import store
from messaging.files.kinds import header_name

API_LASTS = timedelta(minutes=5)
TOLD_LASTS = timedelta(days=6)  # in webhooks: a day longer than a delivery is tried, for its bytes stay as they are
FETCHED_LASTS = timedelta(hours=24)  # for providers that fetch files themselves
UPLOAD_LASTS = timedelta(hours=1)
DOWNLOAD, UPLOAD = "download", "upload"


def link_to(attachment_id: UUID, purpose: str, lasts: timedelta) -> str:
    """Return an address of ours that names one file, one purpose, and its end."""
    token = Signer(salt=f"file-{purpose}").sign_object(
        [encode("file", attachment_id), int(time.time() + lasts.total_seconds())]
    )
    return f"{settings.BASE_URL}/files/{purpose}/{token}"  # curl -T adds the file's name to what ends with a slash


def file_named_by(token: str, purpose: str) -> UUID | None:
    """Return the file that a link of ours names; None for a link that was changed, or has ended."""
    try:
        public_id, until = Signer(salt=f"file-{purpose}").unsign_object(token)
    except (BadSignature, ValueError):
        return None
    return decode("file", public_id) if time.time() < until else None


def download_url(attachment: Attachment, lasts: timedelta) -> str:
    """Return a link that gives the file to whoever has it: of the bucket, where files are in one."""
    if not store.is_bucket():
        return link_to(attachment.pk, DOWNLOAD, lasts)
    return store.signed_download(
        attachment.key,
        name_header=header_name(attachment.name),
        content_type=attachment.content_type,
        lasts=lasts,
    )


def upload_url(attachment: Attachment) -> str:
    """Return a link that takes the bytes of an announced file by PUT."""
    if not store.is_bucket():
        return link_to(attachment.pk, UPLOAD, UPLOAD_LASTS)
    return store.signed_upload(attachment.key, size=attachment.size, lasts=UPLOAD_LASTS)
