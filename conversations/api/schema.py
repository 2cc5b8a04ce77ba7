"""What the answers look like, for the OpenAPI document. The answers themselves are made by typed functions."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from conversations.models import Attachment, Conversation, Label, Message
from messaging.models import ChannelConnection


class OptedOut(serializers.Serializer[Any]):
    channel = serializers.ChoiceField(choices=ChannelConnection.Kind.choices)
    at = serializers.DateTimeField()
    reason = serializers.CharField()


class LeadShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    source_id = serializers.CharField()
    source_name = serializers.CharField(required=False)
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    email = serializers.CharField(allow_null=True)
    phone = serializers.CharField(allow_null=True)
    address = serializers.CharField(allow_null=True)
    unique_id = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    custom_fields = serializers.DictField()
    source = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    source_url = serializers.CharField(allow_null=True)
    opt_in = serializers.BooleanField()
    opt_in_transactional_sms = serializers.BooleanField()
    opted_out = OptedOut(many=True)
    is_new = serializers.BooleanField()
    is_ready = serializers.BooleanField()
    is_test = serializers.BooleanField()
    contact_captured_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class AttachmentShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()
    content_type = serializers.CharField(help_text="As the file's bytes show, whatever its sender says.")
    size = serializers.IntegerField(allow_null=True, help_text="Bytes; null while nobody knows.")
    state = serializers.ChoiceField(
        choices=Attachment.State.choices, help_text="A file can be downloaded when it is `ready`."
    )
    url = serializers.CharField(
        allow_null=True, help_text="Where it is downloaded with your token; null when it cannot."
    )


class MessageShown(serializers.Serializer[Any]):
    class AuthorShown(serializers.Serializer[Any]):
        kind = serializers.ChoiceField(choices=Message.Author.choices)
        name = serializers.CharField()

    class ErrorShown(serializers.Serializer[Any]):
        code = serializers.CharField()
        detail = serializers.CharField()

    id = serializers.CharField()
    conversation_id = serializers.CharField()
    kind = serializers.ChoiceField(choices=Message.Kind.choices)
    direction = serializers.ChoiceField(choices=Message.Direction.choices)
    author = AuthorShown()
    content = serializers.CharField()
    attachments = AttachmentShown(many=True)
    messaging_channel_connection_id = serializers.IntegerField(allow_null=True)
    status = serializers.ChoiceField(choices=Message.Status.choices)
    error = ErrorShown(allow_null=True)
    classification = serializers.ChoiceField(
        choices=Label.choices, allow_null=True, help_text="What the lead means; null where it is no reply."
    )
    retry_of = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    said_at = serializers.DateTimeField(allow_null=True)
    sent_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    read_at = serializers.DateTimeField(allow_null=True)


class AssigneeShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()


class ConversationShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    lead_id = serializers.CharField()
    source_id = serializers.CharField()
    title = serializers.CharField()
    status = serializers.ChoiceField(choices=["open", "closed"])
    messaging_channel_id = serializers.ChoiceField(choices=ChannelConnection.Kind.choices, allow_null=True)
    campaign_id = serializers.CharField(allow_null=True)
    assignee = AssigneeShown(allow_null=True)
    handled_by = serializers.ChoiceField(choices=Conversation.Holder.choices)
    snoozed_until = serializers.DateTimeField(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    last_message_at = serializers.DateTimeField()
    messages = MessageShown(many=True)


class ConnectionShown(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    messaging_channel_id = serializers.ChoiceField(choices=ChannelConnection.Kind.choices)
    default = serializers.BooleanField()
    connected = serializers.BooleanField()
    source_ids = serializers.ListField(child=serializers.CharField())
    available = serializers.BooleanField(required=False)
    reason = serializers.ChoiceField(
        choices=["no_email", "no_phone", "opted_out", "outside_window", "not_connected", "receives_only"],
        required=False,
        allow_null=True,
    )
