"""Runs the processes of the Procfile on loopback ports: for `make up`, `make demo`, and the journeys'
fixtures.

    with Stack(directory) as stack:
        key = stack.api_key("metering", ["usage:write"])
        httpx.post(stack.urls["metering-web"] + "/v1/usage-events", headers={"X-API-Key": key}, ...)
        stack.kill("metering-worker")
        stack.start("metering-worker")

Standard library only. Start it from the main thread (see processes.Process).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import string
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools import dynamodb_local
from tools.ports import HeldPorts, free_port
from tools.processes import Guard, Process

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("registration", "notifications", "metering")
ENGINES = ("ministack", "dynamodb-local")
ACCOUNT = "111122223333"
REGION = "us-east-1"
READY_SECONDS = 90.0  # a cold start of everything on one busy core, not a time that is expected
STOP_SECONDS = 30.0  # longer than gunicorn's --graceful-timeout of 20
READY_PATHS = {
    "engine": "/_ministack/ready",
    "fault-proxy": "/_faults/",
    "dynamodb-local": "/",
    "simulator": "/healthz",
    "identity": "/.well-known/openid-configuration",
}
METERING_SIGNALS = "marketplane-metering-subscription-events"
REGISTRATION_SIGNALS = "marketplane-registration-subscription-events"
# The `aud` of access tokens for the services. No client of the provider is called so, or its ID tokens would
# have the same.
AUDIENCE = "marketplane"
# Everybody knows it: refused in production.
LOCAL_SECRET = "for-local-use-only-everyone-knows-this-one"  # nosec B105 # refused in production


class StackError(RuntimeError):
    """A process did not come up, or a command failed; the message ends with the tail of its log."""


def procfile() -> dict[str, str]:
    """The Procfile: command by process name, in its order."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    pairs = [line.split(":", 1) for line in lines if line.strip() and not line.startswith("#")]
    return {name.strip(): command.strip() for name, command in pairs}


class Stack:
    """The processes of the house, each in its own session, with one state folder and one log file per
    process.

    Args:
        directory: where state and logs go; made when missing. State that is there from a clean stop is taken
        up. processes: names from the Procfile; all when None. The engine is always started.
        engine: `ministack` for everything, or `dynamodb-local` for tables on Amazon's own engine.
        environment: variables for every service process, over the usual ones.
        process_environment: variables by process name, over all others.
        ports: port by process name; a free one is taken for the rest.
        faults: put the fault proxy between the services and the engine, and between metering's worker and
            AWS Marketplace (`urls["fault-proxy"]`, see tests/faults).
        calls: a file in which the engine notes which process asks for what (engine/calls.py).
        make_tables: makes tables and queues, instead of the services themselves.
        spares: further processes, started only when asked for: by name, which of the Procfile's each is
            another of.
        on_event: told in a sentence what happens.
    """

    def __init__(
        self,
        directory: Path | str,
        processes: Sequence[str] | None = None,
        engine: str | None = None,
        environment: Mapping[str, str] | None = None,
        process_environment: Mapping[str, Mapping[str, str]] | None = None,
        ports: Mapping[str, int] | None = None,
        faults: bool = False,
        calls: Path | None = None,
        make_tables: Callable[[Stack], None] | None = None,
        spares: Mapping[str, str] | None = None,
        on_event: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.directory = Path(directory).resolve()
        self.engine = engine or os.environ.get("ENGINE") or "ministack"
        if self.engine not in ENGINES:
            raise ValueError(f"ENGINE is {self.engine!r}; there are: {', '.join(ENGINES)}.")
        self._commands = procfile()
        wanted = list(self._commands) if processes is None else ["engine", *processes]
        if unknown := set(wanted) - set(self._commands):
            raise ValueError(f"The Procfile has no {', '.join(sorted(unknown))}.")
        self.names = [name for name in self._commands if name in wanted]
        if faults:
            self._commands["fault-proxy"] = f"{sys.executable} tests/faults/fault_proxy.py --port $PORT"
            self.names.insert(1, "fault-proxy")
        if self.engine == "dynamodb-local":
            self.names.insert(0, "dynamodb-local")
        self._commands |= {name: self._commands[like] for name, like in (spares or {}).items()}
        self._environment = dict(environment or {})
        self._process_environment = {name: dict(more) for name, more in (process_environment or {}).items()}
        self._calls = calls
        self._make_tables = make_tables
        self.ports = dict(ports or {})
        addressed = [*self.names, *(spares or {})]
        for name in addressed:
            self.ports.setdefault(name, free_port(avoid=self.ports.values()))
        self.urls = {name: f"http://127.0.0.1:{self.ports[name]}" for name in addressed}
        self._held_ports = HeldPorts()
        self._say = on_event
        self._running: dict[str, Process] = {}
        self._guard: Guard | None = None

    # -- the whole -------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self.start_all()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start_all(self) -> None:
        """Starts everything in the order in which each finds what it needs.

        1. Engines and the fault proxy. 2. Simulator. 3. Tables and queues, made by their owners. 4. The
        simulator learns where its news goes. 5. Web processes and workers, all at once. Each step may be
        repeated.

        Raises:
            StackError: a process did not come up in time, or ended.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._held_ports.hold(self.ports.values())
        first = [name for name in self.names if name in ("dynamodb-local", "engine", "fault-proxy")]
        self._start_together(first)
        if "simulator" in self.names:
            self._start_together(["simulator"])
        self.create_tables_and_queues()
        self.connect_simulator()
        self._start_together([name for name in self.names if name not in self._running])

    def stop(self) -> None:
        """Stops all: services first, engines last, so that nobody is left talking to nobody. Safe to
        repeat."""
        below = ("simulator", "fault-proxy", "engine", "dynamodb-local")
        above = [name for name in self._running if name not in below]
        for group in (above, *([name] for name in below)):
            processes = [self._running.pop(name) for name in group if name in self._running]
            deadline = time.monotonic() + STOP_SECONDS
            for process in processes:
                process.ask_to_stop()
            for process in processes:
                if not process.wait(deadline):
                    self._say(f"{process.name} did not stop when asked to; it is killed.")
                process.kill()  # also what its master left behind
        self._held_ports.release()
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    # -- one process -----------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Starts one process on the port it always had, and waits until it is ready."""
        self._start_together([name])

    def kill(self, name: str) -> None:
        """`kill -9` of a process and of its children: nothing is flushed, closed or said goodbye to.

        The engine is cut off just as hard but keeps what it acknowledged, as AWS does
        (engine/local_engine.py).
        """
        process = self._running.pop(name)
        if name == "engine":
            with contextlib.suppress(OSError, http.client.HTTPException):
                call("POST", f"{self.urls[name]}/_engine/crash", timeout=60)
        process.kill()

    def stop_one(self, name: str) -> None:
        """Asks one process to stop and waits until it has; kills what is left of it."""
        process = self._running.pop(name)
        process.ask_to_stop()
        process.wait(time.monotonic() + STOP_SECONDS)
        process.kill()

    def is_running(self, name: str) -> bool:
        return name in self._running and self._running[name].exit_code is None

    def pid(self, name: str) -> int:
        """The process id of a running process; of the master, where it has workers."""
        return self._running[name].pid

    def log_file(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def logs(self, name: str) -> str:
        """All that a process wrote, over its restarts too."""
        path = self.log_file(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_ready(self, *names: str, seconds: float = READY_SECONDS) -> None:
        """Waits until each of these answers that it can do its job.

        Raises:
            StackError: one ended, or was not ready in time; with the tail of its log.
        """
        deadline = time.monotonic() + seconds
        for name in names:
            answer = ""
            while True:
                ready, answer = self._asks_ready(name)
                if ready:
                    break
                if not self.is_running(name):
                    code = self._running[name].exit_code if name in self._running else None
                    raise StackError(
                        f"{name} ended with exit code {code} before it was ready.\n{self._tail(name)}"
                    )
                if time.monotonic() > deadline:
                    waited = f"{name} was not ready within {seconds:.0f} s"
                    raise StackError(f"{waited}; it answered: {answer[:300]}\n{self._tail(name)}")
                time.sleep(0.05)

    # -- commands of the services ----------------------------------------------------------------------------

    def run(self, service: str, *words: str) -> str:
        """Runs `python -m <service> <words>` to its end, with that service's variables. Answers what it
        printed.

        Raises:
            StackError: it failed.
        """
        command = [str(ROOT / ".venv" / service / "bin" / "python"), "-m", service, *words]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment_of(f"{service}-web")
            | {"PORT": "1", "AWS_SDK_UA_APP_ID": f"{words[0]}-of-{service}"},
            capture_output=True,
            text=True,
            timeout=READY_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
            raise StackError(f"`python -m {service} {' '.join(words)}` failed ({done.returncode}).\n{said}")
        return done.stdout

    def api_key(self, service: str, scopes: Iterable[str], name: str = "local") -> str:
        """Makes an API key of one service and answers it."""
        return self.run(service, "add-key", "--name", name, "--scopes", ",".join(scopes)).split()[-1]

    def create_tables_and_queues(self) -> None:
        """Each service in the stack makes what it owns, if it is not there yet."""
        if self._make_tables is not None:
            self._make_tables(self)
            return
        services = [
            service for service in SERVICES if any(name.startswith(f"{service}-") for name in self.names)
        ]
        with ThreadPoolExecutor(max_workers=max(1, len(services))) as pool:
            list(pool.map(lambda service: self.run(service, "create-local"), services))

    def connect_simulator(self) -> None:
        """Lists the catalogue's products at the simulator, and tells it where AWS's news and buyers go."""
        if "simulator" not in self.names:
            return
        # Here and not above: it reads YAML, which all the rest of this file can do without.
        from tools.connect_simulator import connect

        landing = self.urls.get("registration-web", "")
        listens = any(name.startswith("notifications-") for name in self.names)
        variables = self.environment_of("simulator")
        connect(
            self.urls["simulator"],
            Path(variables["PRODUCTS_FILE"]),
            landing_page=f"{landing}/register" if landing else "",
            queue=variables["NOTIFICATIONS_QUEUE"] if listens else "",
        )

    # -- variables -------------------------------------------------------------------------------------------

    def environment_of(self, name: str) -> dict[str, str]:
        """All variables of one process. Nothing of the caller's AWS set-up comes through: no profile, no
        key."""
        engine = self.urls["engine"]
        tables = self.urls.get("dynamodb-local", engine)
        if "fault-proxy" in self.urls and name not in ("simulator", "fault-proxy"):
            engine = tables = self.urls["fault-proxy"]
        variables = {
            **{
                key: os.environ[key]
                for key in ("PATH", "HOME", "LANG", "TMPDIR", "JAVA_HOME")
                if key in os.environ
            },
            "PYTHONUNBUFFERED": "1",
            "TZ": "UTC",
            "HOST": "127.0.0.1",
            "PORT": str(self.ports.get(name, 0)),
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",  # nosec B105 # the local engine knows no secrets
            "AWS_ENDPOINT_URL_DYNAMODB": tables,
            "AWS_ENDPOINT_URL_SQS": engine,
            "AWS_ENDPOINT_URL_SNS": engine,
        }
        if name == "engine":
            state = self.directory / "engine"
            variables |= {
                "GATEWAY_PORT": str(self.ports[name]),
                "PERSIST_STATE": "1",
                "STATE_DIR": str(state),
            }
            variables |= {"LOG_LEVEL": "WARNING"}
            if self._calls:
                variables |= {"ENGINE_CALLS": str(self._calls)}
        elif name == "fault-proxy":
            variables |= {"FAULTS_DYNAMODB_URL": tables, "FAULTS_OTHERS_URL": engine}
            variables |= {"FAULTS_MARKETPLACE_URL": self.urls.get("simulator", "")}
        elif name == "simulator":
            variables |= self._service_variables()
            variables |= {"SIMULATOR_DATABASE": str(self.directory / name / "simulator.sqlite")}
            variables |= {"EVENTBRIDGE_QUEUE": variables["NOTIFICATIONS_QUEUE"]}
        elif name.startswith("registration-"):
            variables |= self._registration_variables() | self._service_variables()
        elif name == "identity":
            variables |= {"JWT_AUDIENCE": AUDIENCE}
        elif name == "web":
            variables |= self.web_variables()
        elif name != "dynamodb-local":
            variables |= self._service_variables()
        if self._calls or "fault-proxy" in self.urls:
            variables |= {"AWS_SDK_UA_APP_ID": name}  # so that one process is known from another
        if "fault-proxy" in self.urls and name.startswith("metering-worker"):
            variables |= {"AWS_ENDPOINT_URL_MARKETPLACE_METERING": self.urls["fault-proxy"]}
        return variables | self._process_environment.get(name, {})

    def web_variables(self) -> dict[str, str]:
        """Of the portal: where a browser finds what it speaks to; a process that is not in this stack is
        nowhere."""
        nowhere = "http://127.0.0.1:9"
        addresses = {f"{service.upper()}_URL": f"{service}-web" for service in SERVICES}
        return {
            **{variable: self.urls.get(process, nowhere) for variable, process in addresses.items()},
            "OIDC_ISSUER": self.urls.get("identity", nowhere),
            "OIDC_CLIENT_ID": "marketplane-web",
            "SELLER": "Example Seller",
            "LOGO": str(ROOT / "branding/example-logo.svg"),
            "SUPPORT_EMAIL": "support@seller.example",
        }

    def _service_variables(self) -> dict[str, str]:
        variables = {
            "ENVIRONMENT": "local",
            "LOG_LEVEL": "INFO",
            "TABLE_PREFIX": "marketplane-",
            "PRODUCTS_FILE": str(ROOT / "products.yaml"),
            "CONTRACTS_DIR": str(ROOT / "openapi"),
            "WEB_WORKERS": "1",
            "WEB_THREADS": "40",
            "NOTIFICATIONS_QUEUE": "marketplane-notifications",
            "METERING_SIGNALS_QUEUE": METERING_SIGNALS,
            "REGISTRATION_SIGNALS_QUEUE": REGISTRATION_SIGNALS,
            "SIGNAL_QUEUES": f"{METERING_SIGNALS},{REGISTRATION_SIGNALS}",
            "COOKIE_SECURE": "false",  # loopback is plain http
            "EVENTBRIDGE_SECRETS": LOCAL_SECRET,
            "WEBHOOKS_ALLOW_INSIDE": "true",  # a seller's system under development is on this machine
            "BROWSER_ORIGINS": self._browser_origins(),
        }
        if "identity" in self.urls:
            issuer = self.urls["identity"]
            variables |= {"JWT_ISSUER": issuer, "JWKS_URL": f"{issuer}/jwks", "JWT_AUDIENCE": AUDIENCE}
        if "simulator" in self.urls:
            simulator = self.urls["simulator"]
            variables |= {
                "AWS_ENDPOINT_URL_MARKETPLACE_METERING": simulator,
                "AWS_ENDPOINT_URL_MARKETPLACE_ENTITLEMENT_SERVICE": simulator,
                "AWS_ENDPOINT_URL_MARKETPLACE_AGREEMENT": simulator,
                "AWS_ENDPOINT_URL_MARKETPLACE_DEPLOYMENT": simulator,
                "CLOCK_URL": f"{simulator}/_simulator/clock",
                # It signs as SNS does, for topics that it makes in the engine's account.
                "SNS_CERTIFICATE_HOSTS": simulator.removeprefix("http://"),
                "SNS_TOPIC_ACCOUNTS": ACCOUNT,
            }
        return variables | self._environment

    def _browser_origins(self) -> str:
        """Where the web application is opened, by either name of this machine; empty where there is none."""
        if "web" not in self.urls:
            return ""
        return ",".join(f"http://{host}:{self.ports['web']}" for host in ("127.0.0.1", "localhost"))

    def _registration_variables(self) -> dict[str, str]:
        variables = {"MAIL": "directory", "MAIL_DIRECTORY": str(self.directory / "mail")}
        if "registration-web" in self.urls:
            variables |= {"PUBLIC_URL": self.urls["registration-web"]}
        if "identity" in self.urls:
            variables |= {
                "OIDC_ISSUER": self.urls["identity"],
                "OIDC_CLIENT_ID": "registration",
                "OIDC_CLIENT_SECRET": "local-only",  # nosec B105 # the local provider's
                "OIDC_TITLE": "Example ID",
            }
        return variables

    # -- inside ----------------------------------------------------------------------------------------------

    def _start_together(self, names: Sequence[str]) -> None:
        for name in names:
            if self.is_running(name):
                raise StackError(f"{name} is running already.")
            if self._guard is None:
                self._guard = Guard()
            (self.directory / name).mkdir(parents=True, exist_ok=True)
            self._running[name] = Process(
                name,
                self._command(name),
                environment=self.environment_of(name),
                directory=ROOT,
                log=self.log_file(name),
                guard=self._guard,
            )
        self.wait_ready(*names)
        for name in names:
            self._say(f"{name} is ready at {self.urls[name]}")

    def _command(self, name: str) -> list[str]:
        if name == "dynamodb-local":
            return dynamodb_local.command(self.ports[name], self.directory / name)
        words = shlex.split(string.Template(self._commands[name]).safe_substitute(self.environment_of(name)))
        if words[0].startswith(".venv/") and not (ROOT / words[0]).exists():
            raise StackError(f"{words[0]} is missing: run `make setup`.")
        return words

    def _asks_ready(self, name: str) -> tuple[bool, str]:
        """Whether a process is ready, and what it answered."""
        path = READY_PATHS.get(name, "/readyz")
        try:
            status, body = call("GET", self.urls[name] + path, timeout=5, check=False)
        except (OSError, http.client.HTTPException) as error:
            return False, str(error) or type(error).__name__
        # DynamoDB Local knows no health path: that it answers at all, with a 400, is its word.
        return status == 200 or (name == "dynamodb-local" and status == 400), f"{status} {body!r}"

    def _tail(self, name: str, lines: int = 40) -> str:
        return f"--- the end of {self.log_file(name)} ---\n" + "\n".join(
            self.logs(name).splitlines()[-lines:]
        )


def call(
    method: str, url: str, body: Any = None, *, timeout: float = 30, check: bool = True
) -> tuple[int, Any]:
    """One HTTP call with JSON, past any proxy. Answers status and decoded body.

    Raises:
        StackError: an answer of 400 or above, if `check`.
        OSError: nobody answered.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as answer:
            status, raw = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, raw = error.code, error.read()
    text = raw.decode(errors="replace")
    if check and status >= 400:
        raise StackError(f"{method} {url} answered {status}: {text[:2000]}")
    try:
        return status, json.loads(text) if text else None
    except ValueError:
        return status, text
