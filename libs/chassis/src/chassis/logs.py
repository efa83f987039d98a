"""JSON logs: a sentence, the same values as fields, and the ids that tie lines together.

Use: `log = structlog.get_logger()` and `log.info("The hour is sealed.", hour=..., subscription_id=...)`.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO, cast

import structlog

from chassis import tracing

# A field by one of these names is a mistake of ours; what it holds must not reach a disk.
SECRET_FIELDS = frozenset(
    {
        "token",
        "registration_token",
        "registrationtoken",
        "x_amzn_marketplace_token",
        "session_secret",
        "api_key",
        "x_api_key",
        "password",
        "secret",
        "email",
        "authorization",
        "cookie",
        "set_cookie",
    }
)

# What is a secret wherever it stands, such as in the message of a library's exception: our API keys, JWTs,
# e-mail addresses. A registration token has no shape of its own; whoever holds one keeps it out of
# exceptions.
_SECRET_SHAPES = re.compile(
    r"mpk_\w+|eyJ[\w-]{5,}\.[\w-]+\.[\w-]*|[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
)
_DEEPEST = 8


class _Out:
    """Where lines go. Loggers keep what they were made with, and this may be told later."""

    stream: TextIO = sys.stdout

    def write(self, text: str) -> None:
        self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()


_out = _Out()


def is_secret(name: object) -> bool:
    """True for the name of a field, header or property whose value is nobody else's business."""
    return str(name).lower().replace("-", "_") in SECRET_FIELDS


def withhold_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what must never be logged: by the names of fields at any depth, and by its shape in any
    text."""
    return {str(name): "withheld" if is_secret(name) else _harmless(value) for name, value in event.items()}


def _harmless(value: Any, depth: int = 1) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _SECRET_SHAPES.sub("withheld", value)
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return {
                str(name): "withheld" if is_secret(name) else _harmless(inner, depth + 1)
                for name, inner in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [_harmless(inner, depth + 1) for inner in value]
        return _SECRET_SHAPES.sub("withheld", repr(value))
    return "…"


def name_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add `trace_id`, where something is being traced."""
    if (trace_id := tracing.trace_id()) is not None:
        event["trace_id"] = trace_id
    return event


def configure(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send everything that this process logs, its libraries included, to stdout as one JSON object a line.

    Args:
        service: the process's name in each line, such as `metering-worker`.
        level: the least level that is written.
        stream: another place than stdout, for commands whose stdout is their answer.
    """

    def name_service(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        name_trace,
        structlog.stdlib.add_log_level,
        name_service,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    in_the_end: list[Any] = [
        structlog.processors.format_exc_info,
        # After the exception has become text, and before anything is written.
        withhold_secrets,
        structlog.processors.JSONRenderer(),
    ]
    _out.stream = stream or sys.stdout
    # Our own lines go past the standard library's logging: through it, a request's line cost as much as what
    # a busy operation does.
    structlog.configure(
        processors=[*shared, *in_the_end],
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _out)),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_out.stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *in_the_end],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Connexion logs every 4xx as a warning of its own, and its form validator what the form held: tokens,
    # addresses. Our access line already says it.
    for telltale in ("connexion.middleware.exceptions", "connexion.validators", "connexion.operations"):
        logging.getLogger(telltale).setLevel(logging.CRITICAL)
    # gunicorn's worker gives these handlers of its own, in another form.
    for foreign in ("uvicorn", "uvicorn.error", "gunicorn.error"):
        logging.getLogger(foreign).handlers.clear()
        logging.getLogger(foreign).propagate = True
    # httpx logs each URL it asks; ours ask the simulator's clock on every request.
    for chatty in ("httpx", "httpcore", "botocore", "pynamodb", "urllib3", "uvicorn.access", "connexion"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
