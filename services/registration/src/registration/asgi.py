"""What gunicorn serves: `registration.asgi:app`."""

from chassis import logs, tracing
from chassis.settings import load
from registration.app import build_from
from registration.settings import Settings

_settings = load(Settings)
logs.configure("registration-web", _settings.log_level)
tracing.start("registration-web", _settings)
app = build_from(_settings)
