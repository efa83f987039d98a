"""What gunicorn serves: `registration.asgi:app`."""

from chassis import logs
from chassis.settings import load
from registration.app import build_from
from registration.settings import Settings

_settings = load(Settings)
logs.configure("registration-web", _settings.log_level)
app = build_from(_settings)
