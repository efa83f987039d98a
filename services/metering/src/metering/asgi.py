"""What the server serves: `metering.asgi:app`."""

from chassis import logs, tracing
from chassis.settings import load
from metering.app import build_web
from metering.settings import Settings

settings = load(Settings)
logs.configure("metering-web", settings.log_level)
tracing.start("metering-web", settings)
app = build_web(settings)
