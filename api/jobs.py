"""Background jobs: follow them, and stop them where they are."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rights import Right
from api.base import IDEMPOTENCY, Api, PageQuery, actor_of, caller_of, id_of, listed, read_body, read_query
from api.callers import Caller
from api.fields import StrictString
from api.idempotency import answer_once
from core.ids import rfc3339
from core.keyset import page
from core.problems import NotFound, Refusal
from outbox.job_kinds import kind_of
from outbox.models import Job


class JobShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    category = serializers.ChoiceField(choices=Job.SHOWN)
    status = serializers.ChoiceField(choices=[*Job.Status.values, "expired"])
    progress = serializers.FloatField(min_value=0, max_value=1)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    result = serializers.DictField(allow_null=True)
    error = serializers.CharField(allow_null=True)


JOBS = inline_serializer(
    "Jobs",
    {
        "data": inline_serializer("JobsData", {"background_jobs": JobShown(many=True)}),
        "meta": inline_serializer("JobsMeta", {"next_cursor": serializers.CharField(allow_null=True)}),
    },
)


class JobsApi(Api):
    scopes = {"GET": "jobs:read"}

    @extend_schema(operation_id="list_background_jobs", parameters=[PageQuery], responses=JOBS, tags=["Jobs"])
    def get(self, request: Request) -> Response:
        query = read_query(request, PageQuery)
        jobs, next_cursor = page(jobs_of(caller_of(request)), query)
        return listed("background_jobs", [job_json(job) for job in jobs], next_cursor)


class JobApi(Api):
    scopes = {"GET": "jobs:read"}

    @extend_schema(operation_id="get_background_job", responses=JobShown, tags=["Jobs"])
    def get(self, request: Request, job_id: str) -> Response:
        read_query(request, serializers.Serializer)
        return Response(job_json(_load(request, job_id)))


class JobCancelApi(Api):
    scopes = {"POST": "jobs:write"}

    class CancelInput(serializers.Serializer[Any]):
        reason = StrictString(required=False, allow_blank=True, max_length=200)

    @extend_schema(
        operation_id="cancel_background_job",
        parameters=[IDEMPOTENCY],
        request=CancelInput,
        responses={204: None},
        tags=["Jobs"],
    )
    def post(self, request: Request, job_id: str) -> Response:
        data = read_body(request, self.CancelInput)

        def cancel() -> Response:
            job = _load(request, job_id)
            require_right(request, Right.CONFIGURE)
            if job.is_unfinished:
                because = data.get("reason") or f"by {caller_of(request).name}"
                kind_of(job.category).cancel(job=job, actor=actor_of(request), because=because)
            return Response(status=204)

        return answer_once(request, cancel)


def require_right(request: Request, right: Right) -> None:
    """Raise Refusal 403 where whoever made the token lacks a right, as the pages do."""
    creator = caller_of(request).creator
    if creator is not None and not creator.may(right):
        raise Refusal(403, "request.forbidden", f"This needs the right: {right.label.lower()}.")


def jobs_of(caller: Caller) -> QuerySet[Job]:
    """What somebody asked for and this caller may see: of its sources, or of no source and its own."""
    rows = Job.objects.filter(organization_id=caller.organization_id, category__in=Job.SHOWN)
    if caller.organization_id in caller.reach().organization_ids:
        return rows
    seen = Q(source_id__in=caller.reach().source_ids)
    for category in Job.SHOWN:
        seen |= Q(category=category, source_id=None, subject_id__in=kind_of(category).subjects_of(caller))
    return rows.filter(seen)


def _load(request: Request, text: str) -> Job:
    job = jobs_of(caller_of(request)).filter(pk=id_of("job", text, "job")).first()
    if job is None:
        raise NotFound("job")
    return job


def job_json(job: Job) -> dict[str, Any]:
    return {
        "id": job.public_id,
        "category": job.category,
        "status": job.status,
        "progress": job.progress,
        "created_at": rfc3339(job.created_at),
        "started_at": rfc3339(job.started_at),
        "finished_at": rfc3339(job.finished_at),
        "result": {"count": job.done, "total": job.total, **(job.result or {})} if not job.is_unfinished else None,
        "error": job.error or job.cancelled_because or None,
    }
