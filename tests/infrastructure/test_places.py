"""One set of templates for every partition and Region, and names by which stacks find each other."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.infrastructure.templates import FOLDER, LEAST, MOST, SERVICES, TEMPLATES, Stack

SOVEREIGN = {
    "AWS::Partition": "aws-eusc",
    "AWS::Region": "eusc-de-east-1",
    "AWS::URLSuffix": "amazonaws.eu",
}


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


# IAM's names of services, the same in each of these partitions.
IAM_SERVICES = re.compile(r"(cloudwatch|ecs-tasks|events|sns)\.amazonaws\.com")


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_resource_names_a_partition_or_a_region(name: str) -> None:
    parameters = LEAST.get(name, {}) | {"AppRegion": "eusc-de-east-1", "MarketplaceRegion": "eusc-de-east-1"}
    for text in texts(Stack(name, parameters, SOVEREIGN).resources):
        foreign = re.search(r"\barn:aws:|\bamazonaws\.com\b|\bus-east-1\b", text)
        assert not foreign or IAM_SERVICES.fullmatch(text), text


def test_the_sovereign_cloud_has_everything_in_itself() -> None:
    parameters = LEAST["metering"] | {"MarketplaceRegion": "eusc-de-east-1"}
    for resource in Stack("metering", parameters, SOVEREIGN).resources.values():
        assert "us-east-1" not in texts(resource)
    seller = Stack("seller-account", {"AppRegion": "eusc-de-east-1"}, SOVEREIGN)
    [target] = seller.of_type("AWS::Events::Rule")["NewsRule"]["Targets"]
    assert target["Arn"].startswith("arn:aws-eusc:events:eusc-de-east-1:")
    image = Stack("metering", parameters, SOVEREIGN).of_type("AWS::ECS::TaskDefinition")["WebTask"]
    assert ".dkr.ecr.eusc-de-east-1.amazonaws.eu/" in image["ContainerDefinitions"][0]["Image"]


def test_news_of_both_suffixes_goes_from_the_seller_to_the_app_s_bus() -> None:
    seller = Stack("seller-account", {"AppAccountId": "222233334444", "AppRegion": "eu-central-1"})
    rule = seller.of_type("AWS::Events::Rule")["NewsRule"]
    assert rule["EventPattern"]["source"] == ["aws.agreement-marketplace"]
    assert rule["EventPattern"]["detail-type"] == [{"suffix": " - Proposer"}, {"suffix": " - Manufacturer"}]
    assert "EventBusName" not in rule, "AWS's events come to the default bus"
    [target] = rule["Targets"]
    app = Stack("notifications", MOST["notifications"])
    bus = app.of_type("AWS::Events::EventBus")["NewsBus"]["Name"]
    assert target["Arn"] == f"arn:aws:events:eu-central-1:222233334444:event-bus/{bus}"
    assert target["DeadLetterConfig"]["Arn"].endswith(":marketplane-news-not-forwarded")
    [policy] = app.of_type("AWS::Events::EventBusPolicy").values()
    assert policy["Statement"]["Condition"] == {
        "StringEquals": {"events:source": "aws.agreement-marketplace"}
    }
    [inside] = app.of_type("AWS::Events::Rule")["NewsRule"]["Targets"]
    assert inside["Arn"].endswith(":marketplane-notifications")


def test_in_one_account_nobody_else_may_send_news() -> None:
    app = Stack("notifications", LEAST["notifications"])
    assert app.of_type("AWS::Events::EventBusPolicy") == {}


def test_no_stack_holds_another_fast() -> None:
    """An export that is imported cannot change; a parameter is read anew at each deployment."""
    for name in TEMPLATES:
        text = (FOLDER / f"{name}.yaml").read_text()
        assert "ImportValue" not in text
        assert "Export:" not in text


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_looks_up_the_foundation_writes(service: str) -> None:
    written = {
        one["Name"]: one["Type"] for one in Stack("foundation").of_type("AWS::SSM::Parameter").values()
    }
    looked_up = {
        one["Default"]: "StringList" if "List<" in one["Type"] else "String"
        for one in Stack(service).template["Parameters"].values()
        if str(one["Type"]).startswith("AWS::SSM::Parameter::Value")
    }
    assert looked_up == written


@pytest.mark.parametrize("service", SERVICES)
def test_each_alarm_rings_somewhere_and_says_why(service: str) -> None:
    for key, alarm in Stack(service, LEAST[service]).of_type("AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == ["value-of-AlarmTopicArn"], key
        assert alarm["AlarmDescription"].endswith("."), key


@pytest.mark.parametrize("service", SERVICES)
def test_each_queue_and_table_has_its_alarms(service: str) -> None:
    stack = Stack(service, LEAST[service])
    alarms = stack.of_type("AWS::CloudWatch::Alarm").values()
    plain = {(one["MetricName"], one["Dimensions"][0]["Value"]) for one in alarms if "MetricName" in one}
    for queue in stack.of_type("AWS::SQS::Queue").values():
        metric = (
            "ApproximateAgeOfOldestMessage"
            if "RedrivePolicy" in queue
            else "ApproximateNumberOfMessagesVisible"
        )
        assert (metric, queue["QueueName"]) in plain
    watched = {
        (
            metric["MetricStat"]["Metric"]["MetricName"],
            metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"],
        )
        for one in alarms
        for metric in one.get("Metrics", [])
        if "MetricStat" in metric
    }
    for table in stack.of_type("AWS::DynamoDB::Table").values():
        assert ("ReadThrottleEvents", table["TableName"]) in watched
        assert ("WriteThrottleEvents", table["TableName"]) in watched


@pytest.mark.parametrize("service", SERVICES)
def test_the_dashboard_can_be_read(service: str) -> None:
    [dashboard] = Stack(service, LEAST[service]).of_type("AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(dashboard["DashboardBody"])["widgets"]
    assert all(widget["properties"]["metrics"] for widget in widgets)
