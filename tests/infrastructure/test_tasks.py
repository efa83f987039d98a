"""What the stacks start is what the images hold: words, settings, and where they may write."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.infrastructure.conftest import inside
from tests.infrastructure.templates import LEAST, MOST, ROOT, SERVICES, Stack

Needs = Callable[[str], dict[str, Any]]
ROLES = {
    "registration": {("web",), ("worker",), ("doctor",)},
    "notifications": {("web",), ("worker",), ("doctor",)},
    "metering": {("web",), ("worker",), ("submit", "--once"), ("doctor",)},
}
SECRETS = {
    "SESSION_SECRET": "s" * 64,
    "WEBHOOK_KEY": "w" * 64,
    "HAND_OVER_SECRET": "whsec_" + "a" * 32,
    "OIDC_CLIENT_SECRET": "o" * 32,
    "GITHUB_CLIENT_SECRET": "g" * 32,
    "EVENTBRIDGE_SECRETS": "e" * 32,
}
# What a start in production does not go without, beside what has a default that serves.
REQUIRED = {"registration": {"SESSION_SECRET"}, "notifications": {"WEBHOOK_KEY"}, "metering": set[str]()}
BOTH = [("least", LEAST), ("most", MOST)]


def containers(stack: Stack) -> list[dict[str, Any]]:
    found = stack.of_type("AWS::ECS::TaskDefinition").values()
    assert all(len(task["ContainerDefinitions"]) == 1 for task in found)
    return [task["ContainerDefinitions"][0] for task in found]


def environment(container: dict[str, Any]) -> dict[str, str]:
    """As the process sees it; a secret is some text that would do."""
    plain = {one["Name"]: str(one["Value"]) for one in container["Environment"]}
    secret = {one["Name"]: SECRETS[one["Name"]] for one in container.get("Secrets", [])}
    assert not plain.keys() & secret.keys()
    return plain | secret


@pytest.mark.parametrize("service", SERVICES)
def test_each_role_has_its_task_and_its_word(service: str) -> None:
    assert {tuple(one["Command"]) for one in containers(Stack(service, LEAST[service]))} == ROLES[service]


@pytest.mark.parametrize("parameters", [given for _, given in BOTH], ids=[name for name, _ in BOTH])
@pytest.mark.parametrize("service", SERVICES)
def test_each_variable_is_a_setting_and_each_secret_a_secret(
    service: str, parameters: dict[str, dict[str, Any]], needs: Needs
) -> None:
    for container in containers(Stack(service, parameters[service])):
        plain = {one["Name"] for one in container["Environment"]}
        secret = {one["Name"] for one in container.get("Secrets", [])}
        assert plain - set(needs(service)["settings"]) == set()
        assert secret - set(needs(service)["secrets"]) == set()
        assert plain & set(needs(service)["secrets"]) == set()


@pytest.mark.parametrize("parameters", [given for _, given in BOTH], ids=[name for name, _ in BOTH])
@pytest.mark.parametrize("service", SERVICES)
def test_a_process_starts_in_production_with_what_it_is_given(
    service: str, parameters: dict[str, dict[str, Any]]
) -> None:
    for container in containers(Stack(service, parameters[service])):
        variables = environment(container)
        assert variables["ENVIRONMENT"] == "production"
        done = inside(service, "--start", environment=variables)
        assert done.returncode == 0, (container["Command"], done.stderr)


@pytest.mark.parametrize(
    ("service", "missing"), [(service, one) for service in SERVICES for one in sorted(REQUIRED[service])]
)
def test_without_a_required_one_it_would_not(service: str, missing: str) -> None:
    """Or the test above would guard nothing."""
    variables = environment(containers(Stack(service, LEAST[service]))[0])
    del variables[missing]
    done = inside(service, "--start", environment=variables)
    assert (done.returncode, missing in done.stderr) == (78, True)


def test_each_secret_that_a_service_knows_can_be_given(needs: Needs) -> None:
    for service in SERVICES:
        given = {
            secret["Name"]
            for container in containers(Stack(service, MOST[service]))
            for secret in container.get("Secrets", [])
        }
        assert given == set(needs(service)["secrets"])


@pytest.mark.parametrize("service", SERVICES)
def test_the_execution_role_reads_those_secrets_and_no_others(service: str) -> None:
    stack = Stack(service, MOST[service])
    named = {secret["ValueFrom"] for one in containers(stack) for secret in one.get("Secrets", [])}
    readable = {
        resource
        for policy in stack.of_type("AWS::IAM::Role")["ExecutionRole"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "secretsmanager:GetSecretValue"
        for resource in statement["Resource"]
    }
    assert readable == named


@pytest.mark.parametrize("service", SERVICES)
def test_a_task_writes_to_its_volume_and_nowhere_else(service: str) -> None:
    dockerfile = (ROOT / "services" / service / "Dockerfile").read_text()
    [user] = re.findall(r"^USER (\d+)$", dockerfile, re.MULTILINE)
    for container in containers(Stack(service, LEAST[service])):
        assert container["ReadonlyRootFilesystem"] is True
        assert container["User"] == user != "0"
        assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
        assert [one["ContainerPath"] for one in container["MountPoints"]] == ["/tmp"]
    # Else Fargate mounts a folder of root's, into which this user cannot write.
    assert 'VOLUME ["/tmp"]' in dockerfile


@pytest.mark.parametrize("service", SERVICES)
def test_the_image_is_the_one_whose_words_are_called(service: str) -> None:
    dockerfile = (ROOT / "services" / service / "Dockerfile").read_text()
    assert f'ENTRYPOINT ["python", "-m", "{service}"]' in dockerfile
    [port] = re.findall(r"\bPORT=(\d+)", dockerfile)
    for container in containers(Stack(service, LEAST[service])):
        assert container["Image"].endswith(f"/marketplane/{service}@sha256:{'0' * 64}")
        for mapping in container.get("PortMappings", []):
            assert str(mapping["ContainerPort"]) == port
        if container["Command"] in (["web"], ["worker"]):
            assert f":{port}/healthz" in container["HealthCheck"]["Command"][-1]


@pytest.mark.parametrize("service", SERVICES)
def test_logs_are_kept_for_a_year_and_more(service: str) -> None:
    retention = Stack("foundation").template["Parameters"]["LogRetentionDays"]
    assert retention["Default"] in retention["AllowedValues"]
    assert min(retention["AllowedValues"]) >= 400
    stack = Stack(service, LEAST[service])
    groups = {key: one for key, one in stack.resources.items() if one["Type"] == "AWS::Logs::LogGroup"}
    for resource in groups.values():
        assert resource["Properties"]["RetentionInDays"] == "value-of-LogRetentionDays"
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    written = {one["LogConfiguration"]["Options"]["awslogs-group"] for one in containers(stack)}
    assert written == {f"Ref-of-{key}" for key in groups}


@pytest.mark.parametrize("service", SERVICES)
def test_a_deployment_that_fails_goes_back(service: str) -> None:
    for key, one in Stack(service, LEAST[service]).of_type("AWS::ECS::Service").items():
        how = one["DeploymentConfiguration"]
        assert how["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}, key
        assert how["MinimumHealthyPercent"] == 100, key
        assert "DesiredCount" not in one, key


@pytest.mark.parametrize("service", SERVICES)
def test_metrics_are_not_for_everybody(service: str) -> None:
    rules = Stack(service, LEAST[service]).of_type("AWS::ElasticLoadBalancingV2::ListenerRule")
    assert rules["HideMetrics"]["Priority"] < rules["ListenerRule"]["Priority"]
    assert rules["HideMetrics"]["Actions"][0]["FixedResponseConfig"]["StatusCode"] == "404"


def test_rules_of_the_listener_do_not_collide() -> None:
    priorities = [
        rule["Priority"]
        for service in SERVICES
        for rule in Stack(service, LEAST[service])
        .of_type("AWS::ElasticLoadBalancingV2::ListenerRule")
        .values()
    ]
    assert len(set(priorities)) == len(priorities) == 6
