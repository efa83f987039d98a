"""`python -m <service> web` as containers start it: two workers, a clean stop, no secret printed."""

import json
from collections.abc import Callable
from typing import Any

Launch = Callable[..., Any]


def test_two_workers_serve_and_stop_on_sigterm_to_the_master(aws_env: str, launch: Launch, keys: Any) -> None:
    key = keys.add("ada", {"operator"})
    web = launch("web", ready="/readyz", WEB_WORKERS="2", WEB_THREADS="4")
    for _ in range(20):
        assert web.get("/healthz") == (200, {"status": "alive", "service": "sample"})
    status, note = web.get("/v1/notes/opaque-id", {"X-API-Key": key})
    assert (status, note) == (200, {"note_id": "opaque-id", "by": "ada"})
    assert web.get("/v1/notes/opaque-id?token=opaque-token", {"X-API-Key": key + "x"})[0] == 401
    assert web.get("/v1/breakdowns?how=us")[0] == 500
    assert web.head("/v1/notes/opaque-id", {"X-API-Key": key}) == (200, b"")
    # Whichever worker answers shows what both have counted.
    counted = 'marketplane_http_requests_total{method="GET",operation="chassis.health.healthz"'
    assert [line.split()[1] for line in web.text("/metrics").splitlines() if line.startswith(counted)] == [
        "20.0"
    ]
    web.process.terminate()
    out, err = web.process.communicate(timeout=30)
    assert web.process.returncode == 0, err
    said = [json.loads(line) for line in out.splitlines()]
    assert {line["event"] for line in said} == {"Answered.", "A request ended in an error of ours."}
    for secret in (key, "opaque", "ada@example.com"):
        assert secret not in out + err


def test_a_chunked_body_over_the_limit_is_refused_by_the_real_server(
    aws_env: str, launch: Launch, keys: Any
) -> None:
    web = launch("web", ready="/healthz", WEB_WORKERS="1", MAX_BODY_BYTES="1024")
    one = b"400\r\n" + b"x" * 1024 + b"\r\n"
    head = b"POST /v1/note-batches HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    assert web.raw(chunked + one * 3 + b"0\r\n\r\n").startswith(b"HTTP/1.1 413 ")
    body = b'{"notes": []}'
    whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert web.raw(chunked.replace(b"chunked\r\n", b"chunked\r\nConnection: close\r\n") + whole).endswith(
        b'{"taken":0}'
    )
    assert web.raw(head + b"Content-Length: 999999\r\n\r\n").startswith(b"HTTP/1.1 413 ")
