"""What the server loads: `notifications.asgi:app`."""

from chassis import logs, tracing
from chassis.clock import clock_for
from chassis.settings import load
from notifications.app import build_web
from notifications.settings import Settings

settings = load(Settings)
logs.configure("notifications-web", settings.log_level)
tracing.start("notifications-web", settings)
app = build_web(settings, clock_for(settings))
