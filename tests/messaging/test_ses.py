"""What is particular to Amazon SES: SNS, S3, what it refuses."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from conversations.models import Message
from conversations.services.provider_calls import read_call
from conversations.services.replies import Author
from leads.models import OptOut
from messaging.accounts import account_of
from messaging.base import Outgoing
from messaging.esp.ses import _client as ses_client
from messaging.failures import NotNow, NotSent
from messaging.models import InboundCall
from messaging.registry import PROVIDERS
from messaging.trying import check
from tests.support.due import run_jobs
from tests.support.esp import (
    ANSWERS,
    OURS,
    REGION,
    SesCalls,
    connected,
)
from tests.support.mails import mail

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")
LEAD = "ava@example.net"


class TestSes:
    @pytest.fixture
    def calls(self, plumbing, actor, ses_server) -> SesCalls:
        calls = SesCalls()
        calls.connection = connected("ses", plumbing, actor)
        return calls

    def test_sns_is_asked_for_the_password_that_it_has(self, calls):
        answered = calls.notify({"eventType": "Send"}, password="")
        assert (answered.status_code, answered["WWW-Authenticate"]) == (401, 'Basic realm="Leadwire"')

    def test_a_subscription_is_confirmed_by_itself(self, calls, aws):
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": REGION}
        client = boto3.client("sns", endpoint_url=aws, **keys)
        client.create_topic(Name="mail")
        calls.notify("You have chosen to subscribe", "SubscriptionConfirmation", Token="a-token")
        run_jobs()
        assert InboundCall.objects.get().outcome == "ignored"
        client.close()

    def test_a_mail_too_long_for_sns_is_fetched_from_the_bucket(self, calls, aws):
        client = boto3.client("s3", endpoint_url=aws, aws_access_key_id="k", aws_secret_access_key="s",
                              region_name=REGION)  # fmt: skip
        client.create_bucket(Bucket="inbound", CreateBucketConfiguration={"LocationConstraint": REGION})
        client.put_object(Bucket="inbound", Key="a/mail", Body=mail("From the bucket."))
        receipt = {"recipients": [ANSWERS], "action": {"type": "S3", "bucketName": "inbound", "objectKey": "a/mail"}}
        calls.notify({"notificationType": "Received", "receipt": receipt, "mail": {"source": LEAD}})
        run_jobs()
        assert Message.objects.get().content == "From the bucket."
        client.close()

    def test_a_mail_that_cannot_be_fetched_now_is_fetched_later(self, calls):
        receipt = {"recipients": [ANSWERS], "action": {"type": "S3", "bucketName": "nowhere", "objectKey": "a"}}
        calls.notify({"notificationType": "Received", "receipt": receipt, "mail": {"source": LEAD}})
        call = InboundCall.objects.get()
        with pytest.raises(NotNow, match="nowhere"):
            read_call(call.pk)
        call.refresh_from_db()
        assert (call.outcome, "nowhere" in call.detail) == ("waiting", True)
        calls.connection.refresh_from_db()
        assert "nowhere" in calls.connection.last_check["detail"], "somebody has to know"

    def test_a_subscription_that_cannot_be_confirmed_is_told_of(self, calls, settings):
        settings.LEADWIRE_SES_URL = "http://127.0.0.1:9"
        address = f"https://sns.{REGION}.amazonaws.com/?Action=ConfirmSubscription&Token=x"
        calls.notify("You have chosen", "SubscriptionConfirmation", Token="x", SubscribeURL=address)
        run_jobs()
        calls.connection.refresh_from_db()
        assert f"Open {address} to do it." in calls.connection.last_check["detail"]

    def test_a_mail_that_amazon_calls_forged_speaks_for_nobody(self, calls):
        receipt = {"recipients": [ANSWERS], "action": {"type": "SNS"}, "dmarcVerdict": {"status": "FAIL"}}
        notice = {"notificationType": "Received", "receipt": receipt, "mail": {"source": LEAD}}
        calls.notify({**notice, "content": mail("STOP").decode()})
        run_jobs()
        assert Message.objects.get().content == "STOP"
        assert not OptOut.objects.exists()

    @pytest.mark.parametrize(("code", "status", "is_permanent"), [
        ("MessageRejected", 400, True), ("TooManyRequestsException", 429, False), ("InvalidClientTokenId", 403, False),
        ("SendingPausedException", 400, False), ("InternalFailure", 500, False),
    ])  # fmt: skip
    def test_what_amazon_refuses_is_refused(self, code, status, is_permanent, calls):
        account = account_of(calls.connection)
        with Stubber(ses_client("AKIAIOSFODNN7EXAMPLE", "secret", REGION)) as amazon:
            amazon.add_client_error("send_email", code, "Email address is not verified.", status)
            with pytest.raises(NotSent, match="Amazon SES") as raised:
                PROVIDERS["ses"].send(account, a_mail())
        assert (raised.value.is_permanent, raised.value.is_unknown) == (is_permanent, False)

    @pytest.mark.parametrize(("is_out_of_the_sandbox", "words"), [(True, "50,000 mails a day"), (False, "sandbox")])
    def test_check_says_how_much_may_be_sent(self, is_out_of_the_sandbox, words, calls, actor):
        with Stubber(ses_client("AKIAIOSFODNN7EXAMPLE", "secret", REGION)) as amazon:
            quota = {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 0.0}
            told = {"SendingEnabled": True, "ProductionAccessEnabled": is_out_of_the_sandbox, "SendQuota": quota}
            amazon.add_response("get_account", told)
            result = check(connection=calls.connection, actor=actor)
        assert result["ok"]
        assert words in result["detail"]


def a_mail() -> Outgoing:
    return Outgoing(reference="msg_1", to=LEAD, text="Hello", html="<p>Hello</p>", subject="Hello",
                    message_id="<1@x.example>", sender_name="Sales", sender_address=OURS, reply_to=ANSWERS)  # fmt: skip
