"""What gunicorn serves: the chassis' application, with registration's settings, guards and limits."""

from pathlib import Path

from chassis import logs
from chassis.settings import load
from chassis.web import build_web_app
from registration.app import key_ring
from registration.settings import Settings

_settings = load(Settings)
logs.configure("no-op-web", _settings.log_level)
app = build_web_app(
    service="no_op",
    contract=Path(__file__).with_name("contract.yaml"),
    settings=_settings,
    keys=key_ring(_settings),
    parts=None,
    readiness={},
)
