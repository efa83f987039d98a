"""When what last ended well, in DynamoDB: noted by the workers, asked for by the web process."""

from collections.abc import Iterable

from chassis.clock import Clock
from metering.health import AUDIT, Health
from metering.tables.models import HealthRow


class HealthStore:
    """Notes and reads it. The table has a row for each step and one for the audit.

    Of two workers the later write stands: it is as true as the other.

    Args:
        clock: the one clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def note_steps(self, steps: Iterable[str]) -> None:
        """These steps of the metering cycle have just ended well."""
        now = self._clock.now()
        with HealthRow.batch_write() as batch:
            for step in steps:
                batch.save(HealthRow(step, ended_at=now))

    def note_audit(self, imbalances: int) -> None:
        """The books have just been audited; so many hours of use do not add up."""
        HealthRow(AUDIT, ended_at=self._clock.now(), imbalances=imbalances).save()

    def read(self) -> Health:
        """How it is now."""
        rows = {row.what: row for row in HealthRow.scan(consistent_read=True)}
        audit = rows.pop(AUDIT, None)
        return Health(
            self._clock.now(),
            {step: row.ended_at for step, row in rows.items()},
            audit.ended_at if audit else None,
            int(audit.imbalances) if audit else None,
        )
