"""What gunicorn serves."""

from chassis import logs, tracing
from chassis.settings import ChassisSettings, load
from sample.app import build, key_ring

settings = load(ChassisSettings)
logs.configure("sample-web", settings.log_level)
tracing.start("sample-web", settings)
app = build(settings, key_ring(settings), [])
