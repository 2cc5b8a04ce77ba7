"""Where the files of messages are: in a folder, or in a bucket of S3 or of what speaks like it."""

from __future__ import annotations

from typing import Any

from config.env import env


def file_store(folder: str) -> dict[str, Any]:
    """Return Django's storage for them. A bucket's keys are in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""
    bucket: str = env.str("LEADWIRE_BUCKET", default="")
    if not bucket:
        return {
            "BACKEND": "messaging.files.folder.WholeFiles",
            "OPTIONS": {"location": folder, "allow_overwrite": True},
        }
    from botocore.config import Config  # an extra: only who has a bucket has it

    limits = Config(signature_version="s3v4", connect_timeout=5, read_timeout=10, retries={"max_attempts": 1})
    options = {
        "bucket_name": bucket,
        "endpoint_url": env.str("LEADWIRE_S3_URL", default="") or None,  # else Amazon's own
        "region_name": env.str("LEADWIRE_S3_REGION", default="") or None,
        "file_overwrite": True,
        "default_acl": None,
        "client_config": limits,
    }
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
