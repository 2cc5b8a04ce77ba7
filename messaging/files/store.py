"""Where files are kept: a folder, or a bucket of S3. Either is one of Django's storages, `STORAGES["attachments"]`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import storages

FILE_MAX = 25 * 1024 * 1024  # bytes


def store() -> Any:
    """Return the storage."""
    return storages["attachments"]


def is_bucket() -> bool:
    """True when browsers and callers get files from the bucket, and put them there, by links that it signs."""
    return hasattr(store(), "bucket")


def put(key: str, content: bytes) -> None:
    """Write a file. What was there before is replaced, so that it may be done again."""
    store().save(key, ContentFile(content))


def get(key: str) -> bytes:
    """Return a whole file. Raise OSError (FileNotFoundError where there is none)."""
    with store().open(key) as file:
        content: bytes = file.read()
    return content


def size_of(key: str) -> int | None:
    """Return the bytes of a file; None where there is none."""
    try:
        return int(store().size(key))
    except FileNotFoundError:
        return None
    except Exception as error:
        if _is_missing(error):
            return None
        raise


def remove(key: str) -> None:
    """Delete a file. Deleting what is not there changes nothing."""
    store().delete(key)


def signed_download(key: str, *, name_header: str, content_type: str, lasts: timedelta) -> str:
    """Return a link of the bucket to a file, which names it and ends by itself."""
    parameters = {"ResponseContentDisposition": name_header, "ResponseContentType": content_type}
    url: str = store().url(key, parameters=parameters, expire=int(lasts.total_seconds()))
    return url


def signed_upload(key: str, *, size: int, lasts: timedelta) -> str:
    """Return a link of the bucket that takes one PUT of exactly so many bytes."""
    bucket = store()
    client = bucket.connection.meta.client
    values = {"Bucket": bucket.bucket_name, "Key": key, "ContentLength": size}
    url: str = client.generate_presigned_url("put_object", Params=values, ExpiresIn=int(lasts.total_seconds()))
    return url


def _is_missing(error: Exception) -> bool:
    """botocore says it with a code in its answer, and is not installed where no bucket is used."""
    answer = getattr(error, "response", None)
    return isinstance(answer, dict) and answer.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404
