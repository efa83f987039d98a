"""What gunicorn serves: the chassis' application, with metering's contract, settings, guards and limits."""

from chassis import logs
from chassis.settings import load
from chassis.web import build_web_app
from metering.app import contract_file, key_ring
from metering.settings import Settings

_settings = load(Settings)
logs.configure("no-op-web", _settings.log_level)
app = build_web_app(
    service="no_op",
    contract=contract_file(_settings),
    settings=_settings,
    keys=key_ring(_settings),
    parts=None,
    readiness={},
)
