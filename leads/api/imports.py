"""Import of leads from a file."""

from __future__ import annotations

import hashlib
import tempfile
from itertools import chain
from typing import Any

from django.core.files.base import File
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rights import Right
from api.base import IDEMPOTENCY, Api, actor_of, caller_of, id_of, read_query
from api.idempotency import answer_once
from api.jobs import JobShown, job_json, jobs_of, require_right
from api.sources import source_for
from core.problems import NotFound, Refusal
from core.tables import csv_file
from leads.imports.services import FILE_MAX, read_mapping, start_import
from leads.models import ImportProblem, LeadImport

FORMATS = {
    "application/json": LeadImport.Format.JSON,
    "application/x-ndjson": LeadImport.Format.NDJSON,
    "text/csv": LeadImport.Format.CSV,
}
CHUNK = 256 * 1024


class Stream(BaseParser):
    """Leaves the body where it is: a file is read in pieces."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return {}


class ImportApi(Api):
    scopes = {"POST": "leads:write"}
    refusals = {"POST": ("import.tooMany", "service.busy", "source.archived")}
    parser_classes = [Stream]

    class Query(serializers.Serializer[Any]):
        source_id = serializers.CharField(required=False, help_text="By id or external id.")
        identifier_type = serializers.ChoiceField(
            choices=LeadImport.Identifier.choices, default=LeadImport.Identifier.EMAIL
        )
        mapping = serializers.CharField(
            required=False, max_length=20_000, help_text='JSON: {"column": "field"}; "" leaves a column out.'
        )
        dry_run = serializers.BooleanField(default=False)

    @extend_schema(
        operation_id="import_leads",
        parameters=[Query, IDEMPOTENCY],
        request=dict.fromkeys(FORMATS, OpenApiTypes.BINARY),
        responses={202: JobShown},
        tags=["Leads in"],
    )
    def post(self, request: Request) -> Response:
        """Up to 100,000 leads: a JSON array, NDJSON or CSV of at most 64 MB. Not atomic: bad rows are left out.

        Imported leads don't start conversations or trigger webhooks.
        """
        query, caller = read_query(request, self.Query), caller_of(request)
        require_right(request, Right.CONFIGURE)
        mapping = read_mapping(query.get("mapping", ""))
        file_format = FORMATS.get((request.content_type or "").partition(";")[0].strip())
        if file_format is None:
            raise Refusal(415, "request.unsupportedMediaType", f"Send one of: {', '.join(FORMATS)}.")
        source = source_for(caller, {name: query[name] for name in ("source_id",) if name in query})
        with tempfile.TemporaryFile() as kept:
            digest = receive(request, kept)

            def begin() -> Response:
                job = start_import(
                    source=source,
                    actor=actor_of(request),
                    file=File(kept),
                    file_format=file_format,
                    identifier=query["identifier_type"],
                    mapping=mapping,
                    is_dry_run=query["dry_run"],
                )
                job.refresh_from_db()
                where = {"Location": f"/v1/background-jobs/{job.public_id}"}
                return Response(job_json(job), status=202, headers=where)

            return answer_once(request, begin, body=digest)


def receive(request: Request, kept: Any) -> str:
    """Write the body to a file and return its digest. Raise Refusal 413, or 400 for an empty one."""
    length, seen, stream = request.META.get("CONTENT_LENGTH", ""), hashlib.sha256(), request._request
    too_large = Refusal(413, "request.tooLarge", f"A file may have {FILE_MAX} bytes.")
    if length.isdigit() and int(length) > FILE_MAX:
        raise too_large
    while block := stream.read(CHUNK):
        seen.update(block)
        kept.write(block)
        if kept.tell() > FILE_MAX:
            raise too_large
    if kept.tell() == 0:
        raise Refusal(400, "request.invalid", "The body is empty. Send the file as it is.")
    kept.seek(0)
    return seen.hexdigest()


class ImportErrorsApi(Api):
    scopes = {"GET": "jobs:read"}

    @extend_schema(
        operation_id="list_import_errors",
        responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, "row, field, detail")},
        tags=["Leads in"],
    )
    def get(self, request: Request, job_id: str) -> StreamingHttpResponse:
        """Why rows were left out, as CSV."""
        read_query(request, serializers.Serializer)
        require_right(request, Right.CONFIGURE)
        job = jobs_of(caller_of(request)).filter(pk=id_of("job", job_id, "job"), category=LeadImport.CATEGORY).first()
        if job is None:
            raise NotFound("job")
        return problems_csv(job.subject_id)


def problems_csv(import_id: Any) -> StreamingHttpResponse:
    """The problems of an import as a file."""
    problems = ImportProblem.objects.filter(lead_import=import_id).order_by("row").iterator()
    rows = ((problem.row, problem.field, problem.detail) for problem in problems)
    return csv_file("import-errors.csv", chain([("row", "field", "detail")], rows))
