"""What gunicorn serves."""

from chassis import logs
from chassis.settings import ChassisSettings, load
from sample.app import build, key_ring

settings = load(ChassisSettings)
logs.configure("sample-web", settings.log_level)
app = build(settings, key_ring(settings), [])
