"""The process runner: nothing survives it, and a killed process comes back where it was."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from tools.ports import PORTS, HeldPorts, free_port
from tools.processes import Guard, Process
from tools.stack import LOCAL_SECRET, ROOT, SERVICES, Stack, StackError, call, procfile

PATIENCE = 30.0
# A program with a child, as gunicorn has workers; both write their process id and then do nothing.
FAMILY = """
import os, signal, sys, time
if {deaf}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
with open(f"{{sys.argv[1]}}/{{'parent' if child else 'child'}}", "w") as file:
    file.write(str(os.getpid()))
time.sleep(600)
"""


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def pid_in(file: Path) -> int:
    wait_for(lambda: file.exists() and file.read_text().isdigit())
    return int(file.read_text())


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie, which is only waiting to be counted, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def family(folder: Path, guard: Guard, *, deaf: bool = False) -> Process:
    command = [sys.executable, "-c", FAMILY.format(deaf=deaf), str(folder)]
    return Process("family", command, environment={}, directory=folder, log=folder / "log", guard=guard)


def test_killing_a_process_kills_its_children(tmp_path: Path) -> None:
    guard = Guard()
    process = family(tmp_path, guard)
    child = pid_in(tmp_path / "child")
    assert pid_in(tmp_path / "parent") == process.pid

    process.kill()

    assert process.exit_code == -signal.SIGKILL
    wait_for(lambda: not is_alive(child))
    guard.close()


def test_asking_to_stop_asks_the_master_only(tmp_path: Path) -> None:
    guard = Guard()
    process = family(tmp_path, guard)
    child = pid_in(tmp_path / "child")

    process.ask_to_stop()

    assert process.wait(time.monotonic() + PATIENCE)
    assert is_alive(child)
    process.kill()
    wait_for(lambda: not is_alive(child))
    guard.close()


def test_nothing_survives_a_killed_runner(tmp_path: Path) -> None:
    runner = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tools.processes import Guard, Process
folder = Path({str(tmp_path)!r})
command = [sys.executable, "-c", {FAMILY.format(deaf=True)!r}, str(folder)]
Process("family", command, environment={{}}, directory=folder, log=folder / "log", guard=Guard())
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", runner])
    parent, child = pid_in(tmp_path / "parent"), pid_in(tmp_path / "child")
    assert is_alive(parent)
    assert is_alive(child)

    process.kill()
    process.wait()

    wait_for(lambda: not is_alive(parent) and not is_alive(child))


def test_ports_are_free_and_out_of_the_way_of_outgoing_connections() -> None:
    ports: list[int] = []
    for _ in range(20):
        ports.append(free_port(avoid=ports))
    assert len(set(ports)) == 20
    assert all(port in PORTS for port in ports)
    assert max(PORTS) < 32_768


def test_a_held_port_is_nobodys_but_the_servers() -> None:
    """A killed process finds its port again, whoever else looks for one meanwhile."""
    held = HeldPorts()
    port = free_port()
    held.hold([port])
    held.hold([port])

    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    for _ in range(2):  # started, and started anew
        socket.create_server(("127.0.0.1", port)).close()  # with SO_REUSEADDR, as all our servers

    held.release()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))


def test_a_port_that_somebody_listens_on_is_left_to_them() -> None:
    held = HeldPorts()
    with socket.create_server(("127.0.0.1", 0)) as server:
        held.hold([server.getsockname()[1]])
    held.release()


def test_the_procfile_names_every_process_of_the_house() -> None:
    assert list(procfile()) == [
        "engine",
        "simulator",
        "registration-web",
        "notifications-web",
        "notifications-worker",
        "metering-web",
        "metering-worker",
        "registration-worker",
        "identity",
        "web",
    ]


def test_an_unknown_process_or_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="The Procfile has no metering-wep"):
        Stack(tmp_path, processes=["metering-wep"])
    with pytest.raises(ValueError, match="ENGINE is 'mysql'"):
        Stack(tmp_path, engine="mysql")


def test_the_callers_own_aws_set_up_stays_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    variables = Stack(tmp_path).environment_of("metering-worker")
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTPS_PROXY"} & variables.keys()
    assert variables["AWS_CONFIG_FILE"] == "/dev/null"
    assert all(
        url.startswith("http://127.0.0.1:") for name, url in variables.items() if "ENDPOINT_URL" in name
    )


def test_services_meet_the_engine_through_the_fault_proxy_and_the_simulator_does_not(tmp_path: Path) -> None:
    stack = Stack(tmp_path, faults=True, engine="ministack")
    service, simulator = stack.environment_of("metering-web"), stack.environment_of("simulator")
    for name in ("DYNAMODB", "SQS", "SNS"):
        assert service[f"AWS_ENDPOINT_URL_{name}"] == stack.urls["fault-proxy"]
        assert simulator[f"AWS_ENDPOINT_URL_{name}"] == stack.urls["engine"]


def test_the_fault_proxy_stands_between_metering_and_aws_too_and_knows_who_calls(tmp_path: Path) -> None:
    stack = Stack(tmp_path, faults=True, spares={"metering-worker-2": "metering-worker"})
    for name in ("metering-worker", "metering-worker-2"):
        variables = stack.environment_of(name)
        assert variables["AWS_ENDPOINT_URL_MARKETPLACE_METERING"] == stack.urls["fault-proxy"]
        assert variables["AWS_SDK_UA_APP_ID"] == name
    others = stack.environment_of("registration-web")
    assert others["AWS_ENDPOINT_URL_MARKETPLACE_METERING"] == stack.urls["simulator"]
    assert "metering-worker-2" not in stack.names


@pytest.mark.parametrize(
    ("name", "local", "why"),
    [
        ("EVENTBRIDGE_SECRETS", LOCAL_SECRET, "EVENTBRIDGE_SECRETS has the one for local use"),
        ("WEBHOOKS_ALLOW_INSIDE", "true", "WEBHOOKS_ALLOW_INSIDE is true"),
        # Not set here: what stands for it then is everybody's too.
        ("WEBHOOK_KEY", None, "WEBHOOK_KEY is not set"),
    ],
)
def test_what_is_good_for_a_desk_is_refused_in_production(
    name: str, local: str | None, why: str, tmp_path: Path
) -> None:
    assert Stack(tmp_path).environment_of("notifications-web").get(name) == local
    safe = {"PATH": os.environ["PATH"], "ENVIRONMENT": "production", "WEBHOOK_KEY": "x" * 40}
    variables = {key: value for key, value in (safe | {name: local}).items() if value is not None}
    done = subprocess.run(
        [ROOT / ".venv/notifications/bin/python", "-m", "notifications", "web"],
        env=variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert f"{why}, but ENVIRONMENT is production" in done.stdout + done.stderr


def test_registration_signs_buyers_in_at_the_provider_of_its_stack(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    web, worker = (stack.environment_of(f"registration-{role}") for role in ("web", "worker"))
    assert web["OIDC_ISSUER"] == stack.urls["identity"]
    assert worker["PUBLIC_URL"] == web["PUBLIC_URL"] == stack.urls["registration-web"]
    assert worker["MAIL_DIRECTORY"] == str(tmp_path / "mail")
    assert not {"OIDC_ISSUER", "MAIL"} & stack.environment_of("metering-web").keys()


@pytest.mark.parametrize("service", SERVICES)
def test_services_take_the_tokens_of_the_provider_of_their_stack(service: str, tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    variables = stack.environment_of(f"{service}-web")
    assert variables["JWT_ISSUER"] == stack.urls["identity"]
    assert variables["JWKS_URL"] == f"{stack.urls['identity']}/jwks"
    assert variables["JWT_AUDIENCE"] == stack.environment_of("identity")["JWT_AUDIENCE"]
    # An ID token's audience is its client: it must not pass for an access token.
    assert variables["JWT_AUDIENCE"] != stack.environment_of("registration-web")["OIDC_CLIENT_ID"]
    others = {"JWT_ISSUER": "https://id.example", "JWT_AUDIENCE": "us", "JWKS_URL": "https://id.example/keys"}
    told = Stack(tmp_path, environment=others).environment_of(f"{service}-web")
    assert {name: told[name] for name in others} == others


@pytest.mark.parametrize("service", SERVICES)
def test_the_web_application_may_ask_the_services_from_where_it_is_opened(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = {name: command for name, command in procfile().items() if name != "web"}
    monkeypatch.setattr("tools.stack.procfile", lambda: without)
    assert Stack(tmp_path).environment_of(f"{service}-web")["BROWSER_ORIGINS"] == ""
    monkeypatch.setattr("tools.stack.procfile", lambda: without | {"web": "serve"})
    stack = Stack(tmp_path, ports={"web": 8109})
    told = stack.environment_of(f"{service}-web")["BROWSER_ORIGINS"]
    assert told == "http://127.0.0.1:8109,http://localhost:8109"


def test_without_the_provider_nobody_is_sent_there(tmp_path: Path) -> None:
    variables = Stack(tmp_path, processes=["registration-web"]).environment_of("registration-web")
    assert [name for name in variables if name.startswith(("OIDC_", "JWT_", "JWKS_"))] == []
    assert "PUBLIC_URL" in variables


def test_the_portal_is_told_where_a_browser_finds_the_others(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    variables = stack.environment_of("web")
    assert variables["OIDC_ISSUER"] == stack.urls["identity"]
    for service in ("registration", "notifications", "metering"):
        assert variables[f"{service.upper()}_URL"] == stack.urls[f"{service}-web"]


def test_the_identity_provider_comes_up_as_the_issuer_that_registration_seeks(tmp_path: Path) -> None:
    with Stack(tmp_path, processes=["identity"], engine="ministack") as stack:
        issuer = stack.urls["identity"]
        _, document = call("GET", f"{issuer}/.well-known/openid-configuration")
    assert document["issuer"] == issuer


def test_a_process_that_does_not_come_up_is_shown_with_its_words(tmp_path: Path) -> None:
    stack = Stack(tmp_path, processes=[], engine="ministack")
    stack._commands["engine"] = f"{sys.executable} -c \"raise SystemExit('the reason')\""
    with (
        pytest.raises(StackError, match=r"(?s)engine ended with exit code 1 before it was ready.*the reason"),
        stack,
    ):
        pass


def test_what_the_engine_acknowledged_survives_a_crash_and_a_stop(tmp_path: Path) -> None:
    stack = Stack(tmp_path, processes=[], engine="ministack")
    with stack:
        config = Config(retries={"total_max_attempts": 1})
        keys = {
            "region_name": "us-east-1",
            "aws_access_key_id": "111122223333",
            "aws_secret_access_key": "test",
        }
        dynamodb = boto3.client("dynamodb", endpoint_url=stack.urls["engine"], config=config, **keys)
        sqs = boto3.client("sqs", endpoint_url=stack.urls["engine"], config=config, **keys)
        dynamodb.create_table(
            TableName="things",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        url = sqs.create_queue(QueueName="work")["QueueUrl"]
        dynamodb.put_item(TableName="things", Item={"pk": {"S": "kept"}})
        sqs.send_message(QueueUrl=url, MessageBody="kept")
        before = stack.pid("engine")

        stack.kill("engine")
        assert not stack.is_running("engine")
        stack.start("engine")

        assert stack.pid("engine") != before
        assert dynamodb.scan(TableName="things")["Items"] == [{"pk": {"S": "kept"}}]
        dynamodb.put_item(TableName="things", Item={"pk": {"S": "later"}})
    with stack:
        assert dynamodb.scan(TableName="things", Select="COUNT")["Count"] == 2
        assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "kept"
        pid = stack.pid("engine")
    assert not is_alive(pid)
    assert "Traceback" not in stack.logs("engine")
    assert os.listdir(tmp_path)
