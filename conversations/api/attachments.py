"""Files of messages: download them, and upload one for a reply."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseRedirect
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Source
from accounts.rights import Right
from api.base import IDEMPOTENCY, Api, caller_of, id_of, read_body, read_query
from api.call_log import set_call_subject
from api.callers import Caller
from api.fields import StrictString
from api.idempotency import answer_once
from conversations.api.access import refuse_archived
from conversations.models import Attachment
from conversations.models.attachments import NAME_LENGTH
from conversations.services.attachment_links import API_LASTS, UPLOAD_LASTS, download_url, upload_url
from conversations.services.uploads import announce
from core.ids import rfc3339
from core.problems import Invalid, NotFound, Refusal
from messaging.files.store import FILE_MAX

UPLOAD = inline_serializer(
    "AttachmentUpload",
    {
        "data": inline_serializer(
            "AttachmentUploadData",
            {
                "key": serializers.CharField(help_text="For `s3_attachment` of a reply, once the file is uploaded."),
                "upload": inline_serializer(
                    "AttachmentUploadLink",
                    {
                        "url": serializers.CharField(),
                        "method": serializers.CharField(),
                        "headers": serializers.DictField(child=serializers.CharField()),
                        "expires_at": serializers.DateTimeField(),
                    },
                ),
            },
        )
    },
)


class AttachmentsApi(Api):
    scopes = {"POST": "conversations:write"}
    for_source_keys = frozenset({"POST"})
    refusals = {"POST": ("attachment.tooMany", "source.archived", "source.notFound")}

    class UploadInput(serializers.Serializer[Any]):
        name = StrictString(max_length=NAME_LENGTH, help_text="As the lead sees it, with its ending.")
        content_type = StrictString(
            max_length=100, required=False, help_text="For your own program: we look at the file itself."
        )
        size = serializers.IntegerField(min_value=1, max_value=FILE_MAX, help_text="Bytes.")
        source_id = StrictString(
            required=False, help_text="The lead's source, or the business above it. A card's key need not say."
        )

    @extend_schema(
        operation_id="create_attachment",
        parameters=[IDEMPOTENCY],
        request=UploadInput,
        responses={201: UPLOAD},
        tags=["Replies"],
    )
    def post(self, request: Request) -> Response:
        """Answers with a link. PUT the file there within an hour, and name its `key` in a reply within a day."""
        data = read_body(request, self.UploadInput)

        def announce_file() -> Response:
            source = _source(caller_of(request), data.get("source_id"))
            set_call_subject(request, source_id=source.pk, lead_id=None)
            attachment = announce(source=source, name=data["name"], size=data["size"])
            upload = {
                "url": upload_url(attachment),
                "method": "PUT",
                "headers": {"Content-Length": str(attachment.size)},
                "expires_at": rfc3339(timezone.now() + UPLOAD_LASTS),
            }
            return Response({"data": {"key": attachment.key, "upload": upload}}, status=201)

        return answer_once(request, announce_file)


class AttachmentDownloadApi(Api):
    scopes = {"GET": "conversations:read"}
    for_source_keys = frozenset({"GET"})
    refusals = {"GET": ("attachment.notReady",)}

    @extend_schema(
        operation_id="download_attachment",
        responses={302: OpenApiResponse(description="A link to the file, which ends after five minutes.")},
        tags=["Replies"],
    )
    def get(self, request: Request, attachment_id: str) -> HttpResponseRedirect:
        read_query(request, serializers.Serializer)
        rows = Attachment.objects.visible_to(caller_of(request)).exclude(message=None)
        rows = rows.filter(pk=id_of("file", attachment_id, "file"), message__lead__erased_at=None)
        attachment = rows.first()
        if attachment is None:
            raise NotFound("file")
        set_call_subject(request, source_id=attachment.source_id, lead_id=None)
        caller_of(request).require_source(attachment.source_id)
        if not attachment.is_ready:
            detail = f"{attachment.get_state_display()}. {attachment.detail}".strip()
            raise Refusal(409, "attachment.notReady", detail, extra={"state": attachment.state})
        return HttpResponseRedirect(download_url(attachment, API_LASTS))


def _source(caller: Caller, public_id: str | None) -> Source:
    """The source that a file is uploaded for. Raise Invalid where a token does not say."""
    if public_id:
        pk = id_of("src", public_id, "source")
    elif caller.home_source_id:
        pk = caller.home_source_id
    else:
        raise Invalid.at("#/source_id", "Say for which source the file is.", "required")
    source = Source.objects.visible_to(caller, Right.ANSWER).filter(pk=pk).first()
    if source is None:
        raise NotFound("source")
    caller.require_source(pk)
    refuse_archived(source)
    return source
