"""Runs a service's loops, each in a thread that outlives every error, beside a port for health and
metrics."""

import json
import signal
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog

from chassis import metrics, tracing
from chassis.aws import LONG_POLL_SECONDS
from chassis.readiness import Readiness, ask_parts
from chassis.settings import ChassisSettings

log = structlog.get_logger()

Loop = Callable[[threading.Event], None]
SHORTEST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


def every(seconds: float, step: Callable[[], Any]) -> Loop:
    """A loop that takes `step`, pauses so many real seconds, and takes it again."""
    name = getattr(step, "__name__", "step")

    def loop(stop: threading.Event) -> None:
        while not stop.is_set():
            with tracing.of_round(name):
                step()
            metrics.LOOP_LAST_SUCCESS.labels(name).set(time.time())
            stop.wait(seconds)

    return loop


def repeat(name: str, loop: Loop, stop: threading.Event) -> None:
    """Run a loop until told to stop. An error is logged and counted, and the loop begins again after a pause.

    The pause doubles with each error, and is short again after a round that went well.
    """
    pause = SHORTEST_PAUSE_SECONDS
    # From nought on: of a counter that begins with its first failure Prometheus sees no increase.
    metrics.LOOP_FAILURES.labels(name)
    while not stop.is_set():
        run = _Run(stop)
        started = time.monotonic()
        try:
            loop(run)
        except Exception:
            if run.had_a_good_round or time.monotonic() - started > LONGEST_PAUSE_SECONDS:
                pause = SHORTEST_PAUSE_SECONDS
            metrics.LOOP_FAILURES.labels(name).inc()
            log.exception("A loop failed; it begins again.", loop=name, pause_seconds=pause)
            stop.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


class _Run(threading.Event):
    """`stop`, as one run of a loop sees it. Every loop asks it before each round, or waits for it after: who
    does so a second time has a round behind it."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self._stop = stop
        self._asked = 0

    @property
    def had_a_good_round(self) -> bool:
        return self._asked > 1

    def is_set(self) -> bool:
        self._asked += 1
        return self._stop.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        self._asked += 1
        return self._stop.wait(timeout)

    def set(self) -> None:
        self._stop.set()


def run_worker(service: str, settings: ChassisSettings, loops: dict[str, Loop], readiness: Readiness) -> None:
    """Run until SIGTERM or SIGINT, then let each loop finish what it has in hand.

    Args:
        service: the name for logs and health.
        settings: where HOST and PORT stand.
        loops: each takes an Event and returns soon after it is set.
        readiness: as for a web application.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threads = {
        name: threading.Thread(target=repeat, args=(name, loop, stop), name=name, daemon=True)
        for name, loop in loops.items()
    }
    status = ThreadingHTTPServer((settings.host, settings.port), _status_handler(service, threads, readiness))
    for thread in threads.values():
        thread.start()
    # After the loops: a thread that has not begun would be reported dead.
    threading.Thread(target=status.serve_forever, name="status", daemon=True).start()
    log.info("The worker is at work.", loops=sorted(threads))
    stop.wait()
    for thread in threads.values():
        thread.join(timeout=LONG_POLL_SECONDS + settings.aws_read_timeout_seconds * settings.aws_attempts)
    status.shutdown()
    status.server_close()
    log.info("The worker has stopped.")


def _status_handler(
    service: str, threads: dict[str, threading.Thread], readiness: Readiness
) -> type[BaseHTTPRequestHandler]:
    class Status(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, "text/plain; charset=utf-8", metrics.exposition())
            elif self.path == "/healthz":
                dead = [name for name, thread in threads.items() if not thread.is_alive()]
                self._json(503 if dead else 200, {"status": "dead" if dead else "alive", "service": service})
            elif self.path == "/readyz":
                answers = ask_parts(readiness)
                ready = all(answer == "ready" for answer in answers.values())
                self._json(
                    200 if ready else 503,
                    {"status": "ready" if ready else "not ready", "service": service, "parts": answers},
                )
            else:
                self._json(404, {"title": "There is no such thing.", "status": 404})

        def _json(self, status: int, body: dict[str, Any]) -> None:
            self._answer(status, "application/json", json.dumps(body).encode())

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Health is asked every few seconds; the log is for what happens."""

    return Status
