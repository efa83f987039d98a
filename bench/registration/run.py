#!/usr/bin/env python3
"""How fast registration answers, beside the same stack that does nothing. See README.md.

.venv/dev/bin/python bench/registration/run.py [--seconds 3] [--rounds 5] [--connections 4]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from tools.ports import free_port  # noqa: E402
from tools.processes import Guard, Process  # noqa: E402
from tools.stack import ACCOUNT, REGION, Stack, call  # noqa: E402
from tools.story import LICENSED_PRODUCT  # noqa: E402

# At least this share of the no-op's requests a second.
GOALS = {"landing": 0.3, "access": 0.5}
STATUS = {"landing": 303, "access": 200}
BUYERS = 20
MOST_A_ROUND = 20_000
PATIENCE_SECONDS = 60.0

_UNBOUNDED = "100000000/minute"
SERVICE = {
    "WEB_WORKERS": "1",
    "LANDINGS_RATE": _UNBOUNDED,
    "API_ARRIVALS_RATE": _UNBOUNDED,
    "SUBMITS_RATE": _UNBOUNDED,
    # Production's clock is the machine's own; to ask the simulator's would be a call that no one makes there.
    "CLOCK_URL": "",
}


@dataclass
class Figures:
    """What the rounds of one operation at one server gave; the middle one counts."""

    rates: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def middle(self, name: str) -> float:
        values: list[float] = getattr(self, name)
        return statistics.median(values)


@dataclass(frozen=True)
class Server:
    port: int
    pid: int
    """Of gunicorn's master; its one worker is counted with it."""

    def cpu_seconds(self) -> float:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(_cpu_seconds(pid) for pid in (self.pid, *map(int, children)))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# -- the house -----------------------------------------------------------------------------------------------


def house(directory: Path) -> Stack:
    """Engine, simulator, registration, and whoever writes the news that access is read from."""
    return Stack(
        directory,
        ["simulator", "registration-web", "notifications-worker"],
        process_environment={
            "simulator": {"SIMULATOR_CALLS_PER_SECOND": "0"},
            "registration-web": SERVICE,
            "notifications-worker": {"CYCLE_SECONDS": "0.2"},
        },
    )


def settle(stack: Stack) -> tuple[list[str], list[str]]:
    """Some buyers buy and register, and AWS's news of it arrives. Their tokens, and their customer ids."""
    simulator, registration = stack.urls["simulator"] + "/_simulator", stack.urls["registration-web"]
    bought = [
        call("POST", f"{simulator}/agreements", {"product_code": LICENSED_PRODUCT})[1] for _ in range(BUYERS)
    ]
    call("PUT", f"{simulator}/clock", {"advance_seconds": 120})
    tokens = [agreement["registration_token"] for agreement in bought]
    customers = []
    for number, token in enumerate(tokens):
        _, arrived = call("POST", f"{registration}/v1/registrations", {"registration_token": token})
        status, _, body = ask_once(
            stack.ports["registration-web"],
            "PUT",
            f"/v1/registrations/{arrived['registration_id']}/customer",
            json.dumps({"email": f"buyer-{number}@company.example"}),
            {"Content-Type": "application/json", "X-Registration-Session": arrived["session_secret"]},
        )
        if status != 201:
            raise RuntimeError(body)
        customers.append(json.loads(body)["customer_id"])
    until_the_news_is_whole(stack)
    return tokens, customers


def until_the_news_is_whole(stack: Stack) -> None:
    """Wait until every purchase is granted, and AWS has been asked whether it is a trial."""
    tables = boto3.client(
        "dynamodb",
        endpoint_url=stack.urls["engine"],
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="test",
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        rows = tables.scan(TableName="marketplane-subscriptions", ConsistentRead=True)["Items"]
        whole = [row for row in rows if row["access"]["S"] == "granted" and "free_trial" in row]
        if len(whole) == BUYERS:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"The news of {BUYERS} purchases did not arrive: {rows}")
        time.sleep(0.1)


@contextlib.contextmanager
def no_op(stack: Stack, answers: dict[str, Any]) -> Iterator[Server]:
    """The bench's own service, started with registration's command and variables."""
    port = free_port(avoid=stack.ports.values())
    variables = stack.environment_of("registration-web") | {
        "PORT": str(port),
        "PYTHONPATH": str(HERE),
        "NO_OP_ANSWERS": json.dumps(answers),
    }
    guard = Guard()
    process = Process(
        "no-op",
        [str(ROOT / ".venv" / "registration" / "bin" / "python"), "-m", "no_op", "web"],
        environment=variables,
        directory=ROOT,
        log=stack.log_file("no-op"),
        guard=guard,
    )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if ask_once(port, "GET", "/readyz")[0] == 200:
                    break
            if process.exit_code is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The no-op did not start:\n{stack.logs('no-op')[-3000:]}")
            time.sleep(0.05)
        yield Server(port, process.pid)
    finally:
        process.ask_to_stop()
        process.wait(time.monotonic() + 30)
        process.kill()
        guard.close()


# -- requests ------------------------------------------------------------------------------------------------


def landing_request(token: str) -> tuple[str, str, str, dict[str, str]]:
    body = urllib.parse.urlencode({"x-amzn-marketplace-token": token})
    return "POST", "/register", body, {"Content-Type": "application/x-www-form-urlencoded"}


def access_request(customer_id: str, key: str) -> tuple[str, str, str, dict[str, str]]:
    return "GET", f"/v1/customers/{customer_id}/access", "", {"X-API-Key": key}


def ask_once(
    port: int, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body or None, headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def wire(method: str, path: str, body: str, headers: dict[str, str]) -> str:
    head = {"Host": "127.0.0.1", "Accept": "*/*", **headers}
    if body:
        head["Content-Length"] = str(len(body))
    lines = "\r\n".join(f"{name}: {value}" for name, value in head.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n\r\n{body}"


def ready_made(answer: tuple[int, dict[str, str], str]) -> list[Any]:
    """An answer for the no-op to repeat: without what the server and the middleware add by themselves."""
    status, headers, body = answer
    own = ("content-type", "location", "cache-control", "set-cookie", "etag")
    return [status, {name: value for name, value in headers.items() if name.lower() in own}, body]


def measure(server: Server, job: dict[str, Any], figures: Figures) -> None:
    """One round."""
    used = server.cpu_seconds()
    done = subprocess.run(
        [sys.executable, str(HERE / "load.py")],
        input=json.dumps({"port": server.port, **job}),
        capture_output=True,
        text=True,
        timeout=job["seconds"] + 60,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    found = json.loads(done.stdout)
    figures.rates.append(found["rate"])
    figures.p50.append(found["p50"])
    figures.p99.append(found["p99"])
    figures.cpu.append((server.cpu_seconds() - used) / found["answered"] * 1000)


# -- the table -----------------------------------------------------------------------------------------------


def run(seconds: float, rounds: int, connections: int) -> bool:
    with tempfile.TemporaryDirectory() as folder, house(Path(folder)) as stack:
        key = stack.api_key("registration", ["operator", "usage:read"])
        tokens, customers = settle(stack)
        stack.stop_one("notifications-worker")
        port = stack.ports["registration-web"]
        requests = {
            "landing": [landing_request(token) for token in tokens],
            "access": [access_request(customer_id, key) for customer_id in customers],
        }
        answers = {name: ready_made(ask_once(port, *ones[0])) for name, ones in requests.items()}
        if {name: answer[0] for name, answer in answers.items()} != STATUS:
            raise RuntimeError(str(answers))
        registration = Server(port, stack.pid("registration-web"))
        with no_op(stack, answers) as nothing:
            servers = {"no-op": nothing, "registration": registration}
            figures = {(name, server): Figures() for name in requests for server in servers}
            warm_up = {key: Figures() for key in figures}
            for number in range(rounds + 1):
                for name, server in figures:
                    job = {
                        "requests": [wire(*one) for one in requests[name]],
                        "status": STATUS[name],
                        "connections": connections,
                        "seconds": seconds if number else min(seconds, 1.0),
                        "most": MOST_A_ROUND,
                    }
                    measure(servers[server], job, (figures if number else warm_up)[name, server])
    return show(figures, rounds, seconds, connections)


def show(figures: dict[tuple[str, str], Figures], rounds: int, seconds: float, connections: int) -> bool:
    """Print the table. Answers whether the goals are met."""
    print(
        f"\nOne server process, {connections} connections; middle of {rounds} rounds of {seconds:g} s; ",
        end="",
    )
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    columns = ("requests/s", "p50 ms", "p99 ms", "CPU ms")
    print(f"{'':<10}{'':<14}" + "".join(f"{column:>12}" for column in columns))
    met = True
    verdicts = []
    for name, goal in GOALS.items():
        nothing, ours = figures[name, "no-op"], figures[name, "registration"]
        for server, its in (("no-op", nothing), ("registration", ours)):
            print(
                f"{name:<10}{server:<14}{its.middle('rates'):>12.0f}{its.middle('p50'):>12.1f}"
                f"{its.middle('p99'):>12.1f}{its.middle('cpu'):>12.2f}"
            )
        ratios = [
            ours.middle("rates") / nothing.middle("rates"),
            *(nothing.middle(column) / ours.middle(column) for column in ("p50", "p99", "cpu")),
        ]
        print(f"{name:<10}{'ratio':<14}" + "".join(f"{ratio:>12.2f}" for ratio in ratios))
        reached = ratios[0] >= goal
        met = met and reached
        verdicts.append(f"{name} at least {goal} of the no-op's rate: {'met' if reached else 'MISSED'}")
    print(f"\nGoals: {'; '.join(verdicts)}.")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures registration beside a no-op on the same stack.")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=4)
    options = parser.parse_args()
    return 0 if run(options.seconds, options.rounds, options.connections) else 1


if __name__ == "__main__":
    sys.exit(main())
