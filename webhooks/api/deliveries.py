"""The deliveries of one webhook: what is open, what has ended and how."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Api, PageQuery, id_of, listed, read_query
from core.keyset import page
from webhooks.api.shapes import DELIVERIES, DELIVERY, delivery_json, delivery_of
from webhooks.api.webhooks import load_webhook
from webhooks.models import Attempt, Delivery

ENDINGS = (Attempt.Outcome.DELIVERED, Attempt.Outcome.FAILED, Attempt.Outcome.CANCELLED)


class WebhookDeliveriesApi(Api):
    scopes = {"GET": "webhooks:read"}

    class Query(PageQuery):
        status = serializers.ChoiceField(choices=["ended", "open"], default="ended")

    @extend_schema(operation_id="list_webhook_deliveries", parameters=[Query], responses=DELIVERIES, tags=["Webhooks"])
    def get(self, request: Request, webhook_id: str) -> Response:
        """Those that ended, newest first, each with the attempt that ended it; or (`status=open`) those still open."""
        query, webhook = read_query(request, self.Query), load_webhook(request, webhook_id)
        if query["status"] == "open":
            rows, next_cursor = page(Delivery.objects.filter(lane=webhook.lane_id), query)
            return listed(
                "deliveries", [delivery_json(delivery.pk, delivery, delivery, []) for delivery in rows], next_cursor
            )
        ended, next_cursor = page(Attempt.objects.filter(lane_id=webhook.lane_id, outcome__in=ENDINGS), query)
        return listed(
            "deliveries",
            [delivery_json(attempt.delivery_id, attempt, None, [attempt]) for attempt in ended],
            next_cursor,
        )


class WebhookDeliveryApi(Api):
    scopes = {"GET": "webhooks:read"}

    @extend_schema(operation_id="get_webhook_delivery", responses=DELIVERY, tags=["Webhooks"])
    def get(self, request: Request, webhook_id: str, delivery_id: str) -> Response:
        read_query(request, serializers.Serializer)
        webhook = load_webhook(request, webhook_id)
        return Response({"data": {"delivery": delivery_of(webhook, id_of("dlv", delivery_id, "delivery"))}})
