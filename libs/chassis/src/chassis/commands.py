"""The words after `python -m <service>`: one image, a word picks the role."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from chassis import logs, metrics_folder, tracing
from chassis.auth import KeyRing
from chassis.doctor import Check, examine
from chassis.settings import ChassisSettings, load, names

S = TypeVar("S", bound=ChassisSettings)

Stop = Callable[[], bool]
Once = Callable[[S, Stop], list[str]]
"""Takes one round, and begins nothing more once it is told to stop. Answers what is left, in sentences, and
raises an ExceptionGroup of what failed."""


def main(
    *,
    service: str,
    settings: type[S],
    web: str,
    keys: Callable[[S], KeyRing],
    create_local: Callable[[S], None],
    worker: Callable[[S], None] | None = None,
    once: Mapping[str, Once[S]] | None = None,
    checks: Callable[[S], list[Check]] | None = None,
    arguments: list[str] | None = None,
) -> None:
    """Run one role of a service.

    Args:
        service: its name.
        settings: its settings class.
        web: the served application, `package.module:name`.
        keys: gives the service's key ring.
        create_local: creates its tables and queues.
        worker: runs its worker until stopped; None where it has none.
        once: what it does one round of, by name: `python -m <service> <name> --once`.
        checks: what `doctor` looks at.
        arguments: the words; the command line's when None.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {service}")
    roles = parser.add_subparsers(dest="role", required=True, metavar="ROLE")
    roles.add_parser("web", help="serve the API")
    if worker:
        roles.add_parser("worker", help="run the loops")
    for name in once or {}:
        round_of = roles.add_parser(name, help="take one round and end, for cron")
        round_of.add_argument("--once", action="store_true", required=True, help="one round")
    if checks:
        roles.add_parser("doctor", help="look at what the service needs, and say what is amiss")
    roles.add_parser("create-local", help="create tables and queues on a local engine")
    add_key = roles.add_parser("add-key", help="make an API key and print it once")
    add_key.add_argument("--name", required=True, help="who will use it")
    add_key.add_argument(
        "--scopes", required=True, help="comma-separated: usage:write, usage:read, operator, buyer"
    )
    roles.add_parser("list-keys", help="list the API keys: id, name, scopes, state")
    disable_key = roles.add_parser("disable-key", help="let an API key open nothing any more")
    disable_key.add_argument("--id", required=True, help="the eight characters after `mpk_`")
    chosen = parser.parse_args(arguments)
    loaded = load(settings)
    # Of these, stdout is what was asked for and nothing else, so that a script can take it from there.
    for_people = chosen.role == "doctor" or chosen.role.endswith(("-key", "-keys"))
    logs.configure(f"{service}-{chosen.role}", loaded.log_level, sys.stderr if for_people else None)
    if chosen.role == "web":
        _serve(web, loaded)
    elif chosen.role == "worker" and worker:
        with tracing.switched_on(f"{service}-worker", loaded):
            worker(loaded)
    elif once and chosen.role in once:
        with tracing.switched_on(f"{service}-{chosen.role}", loaded):
            code = take_one_round(once[chosen.role], loaded)
        sys.exit(code)
    elif chosen.role == "doctor" and checks:
        sys.exit(examine_all(checks(loaded)))
    elif chosen.role == "create-local":
        if loaded.environment == "production":
            sys.exit(
                "create-local is for local engines; in production the deployment's stacks create tables."
            )
        create_local(loaded)
    else:
        try:
            _handle_keys(chosen, keys(loaded))
        except ValueError as error:
            sys.exit(str(error))


def _handle_keys(chosen: argparse.Namespace, ring: KeyRing) -> None:
    """Make, list or disable API keys.

    Raises:
        ValueError: a scope or a key that does not exist.
    """
    if chosen.role == "add-key":
        print(ring.add(chosen.name, set(names(chosen.scopes))))
    elif chosen.role == "disable-key":
        ring.disable(chosen.id)
    else:
        for key in ring.all():
            state = "disabled" if key.disabled else "enabled"
            print(key.key_id, key.name, ",".join(sorted(key.scopes)), state, sep="\t")


def _serve(web: str, settings: ChassisSettings) -> None:
    """Become gunicorn."""
    command = server_command(web, settings)
    if settings.web_workers > 1 and metrics_folder.VARIABLE not in os.environ:
        os.environ[metrics_folder.VARIABLE] = metrics_folder.make()
        command += ["--config", f"python:{metrics_folder.__name__}"]
    os.execv(sys.executable, command)  # nosec B606 # this Python, and a list of words of our own


def server_command(web: str, settings: ChassisSettings) -> list[str]:
    """How gunicorn is called. Connexion's app is ASGI: gunicorn's default worker would answer 500."""
    command = [sys.executable, "-m", "gunicorn", web, "--worker-class", "uvicorn_worker.UvicornWorker"]
    command += ["--bind", f"{settings.host}:{settings.port}", "--workers", str(settings.web_workers)]
    # Without --reuse-port one of two workers may take all keep-alive connections.
    command += ["--reuse-port", "--graceful-timeout", "20", "--log-level", "warning", "--no-control-socket"]
    # Longer than a load balancer or a client keeps a quiet connection (AWS's: 60 s): else it sends a request
    # down a connection that we close in that moment, and cannot know whether it was read.
    command += ["--keep-alive", "75"]
    # Else uvicorn takes a loopback peer's X-Forwarded-For for the address, also where no proxy of ours wrote
    # it. PROXY_HOPS alone decides (chassis.senders).
    return [*command, "--forwarded-allow-ips", ""]


def examine_all(checks: list[Check]) -> int:
    """The exit code: 0 where nothing is amiss, else 1; and a line for each check."""
    ill = 0
    for finding in examine(checks):
        print(finding, flush=True)
        ill += finding.mend is not None
    print(f"\n{len(checks)} looked at, {ill} to mend.")
    return 1 if ill else 0


def take_one_round(act: Once[S], settings: S) -> int:
    """The exit code: 0 where all went well; else 1, after a sentence on stderr for each thing that did not.

    SIGTERM and SIGINT let the round finish what it has in hand.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        sentences = act(settings, stop.is_set)
    except ExceptionGroup as failures:
        sentences = [f"{failure} ({type(failure).__name__})" for failure in failures.exceptions]
    except Exception as failure:
        sentences = [f"{failure} ({type(failure).__name__})"]
    for sentence in sentences:
        print(sentence, file=sys.stderr)
    return 1 if sentences else 0
