"""Books on paper: what a metering cycle would write, and nobody reads but who asked what it would be."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from metering.corrections import Netting
from metering.entitlements import Allowance, Covering
from metering.ledger import LedgerRow
from metering.records import MeteringRecord
from metering.tables.ledger_store import LedgerStore
from metering.tables.record_store import RecordStore

Key = tuple[str, str, str]


@dataclass
class PaperLedger:
    """The ledger as it is, and on top of it what was decided since. Stands in for a LedgerStore.

    Args:
        ledger: the real one; it is only read.
    """

    ledger: LedgerStore
    rows: dict[Key, LedgerRow] = field(default_factory=dict)
    used: dict[tuple[str, str, str], Allowance] = field(default_factory=dict)
    nettings: list[Netting] = field(default_factory=list)
    coverings: list[Covering] = field(default_factory=list)
    moves: list[tuple[LedgerRow, str]] = field(default_factory=list)
    write_offs: list[tuple[LedgerRow, str]] = field(default_factory=list)

    def unbilled(self) -> dict[tuple[str, str], list[LedgerRow]]:
        """See LedgerStore."""
        found = self.ledger.unbilled()
        for rows in found.values():
            for row in rows:
                self._put(row)
        return found

    def again(self, rows: Iterable[LedgerRow]) -> list[LedgerRow]:
        """See LedgerStore."""
        return [self.rows[_key(row)] for row in rows]

    def clear_unbilled(self, row: LedgerRow) -> None:
        """Nobody looks for it here."""

    def net(self, netting: Netting) -> None:
        """See LedgerStore."""
        self.nettings.append(netting)
        for _, after in netting.changes:
            self._put(after)

    def cover(self, covering: Covering) -> None:
        """See LedgerStore."""
        self.coverings.append(covering)
        self._put(covering.row_after)
        after = covering.allowance_after
        self.used[after.subscription_id, after.dimension, after.period] = after

    def allowances(self, subscription_id: str, dimension: str) -> list[Allowance]:
        """See LedgerStore."""
        kept = {one.period: one for one in self.ledger.allowances(subscription_id, dimension)}
        used = {key[2]: one for key, one in self.used.items() if key[:2] == (subscription_id, dimension)}
        return list((kept | used).values())

    def move(self, row: LedgerRow, to: str) -> None:
        """See LedgerStore."""
        self.moves.append((row, to))
        self._put(row.moving(to))

    def write_off(self, row: LedgerRow, reason: str) -> None:
        """See LedgerStore."""
        self.write_offs.append((row, reason))
        self._put(row.writing_off(row.unbilled, reason))

    def allocate(self, record: MeteringRecord) -> None:
        """A record takes its quantity."""
        for source in record.sources:
            key = (record.subscription_id, record.dimension, source.hour)
            self._put(self.rows[key].allocating(source.quantity, source.tags))

    def left(self) -> list[LedgerRow]:
        """What is still unbilled."""
        return [row for row in self.rows.values() if row.unbilled > 0]

    def _put(self, row: LedgerRow) -> None:
        self.rows[_key(row)] = row


@dataclass
class PaperRecords:
    """The records as they are, and those that would be frozen. Stands in for a RecordStore."""

    records: RecordStore
    ledger: PaperLedger
    frozen: list[MeteringRecord] = field(default_factory=list)

    def taken_hours(self, subscription_id: str, dimension: str, since: str) -> set[str]:
        """See RecordStore."""
        return self.records.taken_hours(subscription_id, dimension, since)

    def due(self) -> list[MeteringRecord]:
        """See RecordStore."""
        return self.records.due()

    def freeze(self, record: MeteringRecord, _: Mapping[str, LedgerRow]) -> None:
        """See RecordStore."""
        self.frozen.append(record)
        self.ledger.allocate(record)


def _key(row: LedgerRow) -> Key:
    return row.holder, row.dimension, row.hour
