"""Which records go into one call of BatchMeterUsage, and in which order calls are made."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from metering.allocations import allocations, bytes_sent
from metering.records import Listing, MeteringRecord

# BatchMeterUsage takes 25 records and less than 1 MB (botocore 1.44.5). One of our records has at most some
# 2.5 KB of text: a licence ARN of 1,100 characters, a dimension of 255, an account, a timestamp and a
# quantity; and its allocations.
RECORDS_PER_CALL = 25
BYTES_PER_CALL = 980_000
BYTES_OF_A_RECORD = 2_500

# A record that is still in doubt after so many calls is a suspect: it may be what AWS fails at. It must not
# hold up the records beside it. A call that was certainly not counted (throttled, or refused for a fault of
# ours) says nothing against its records.
ATTEMPTS_IN_COMPANY = 3


class Calls:
    """The calls into which records are divided, of one product and generation each: most urgent first,
    suspects last.

    A suspect goes alone; but while AWS answers, each call takes twice as many of them. After an outage in
    which every answer was lost all records are suspects, and one by one they would take twenty-five times as
    long; that a single one is AWS's trouble shows when its call is not answered, and the next begins with one
    again.

    Args:
        records: what is due.
        deadline: until when AWS takes a record.
    """

    def __init__(
        self, records: Iterable[MeteringRecord], deadline: Callable[[MeteringRecord], datetime]
    ) -> None:
        company: dict[Listing, list[MeteringRecord]] = defaultdict(list)
        suspects: list[MeteringRecord] = []
        for record in sorted(records, key=deadline):
            is_suspect = record.in_doubt and record.attempts >= ATTEMPTS_IN_COMPANY
            (suspects if is_suspect else company[record.identity.listing]).append(record)
        self._calls = [call for group in company.values() for call in _filled(group)]
        self._calls.sort(key=lambda call: deadline(call[0]))
        self._suspects = _by_turns(suspects)
        self._most = 1

    def __iter__(self) -> Iterator[list[MeteringRecord]]:
        yield from self._calls
        # What went well without suspects says nothing of them.
        self._most = 1
        while self._suspects:
            listing = self._suspects[0].identity.listing
            alike = [record for record in self._suspects if record.identity.listing == listing][: self._most]
            call = next(_filled(alike))
            taken = {record.metering_record_id for record in call}
            self._suspects = [record for record in self._suspects if record.metering_record_id not in taken]
            yield call

    def was_answered(self, well: bool) -> None:
        """What came of the call that was given last.

        Args:
            well: False where its records are in doubt after it.
        """
        self._most = min(2 * self._most, RECORDS_PER_CALL) if well else 1


def _by_turns(suspects: list[MeteringRecord]) -> list[MeteringRecord]:
    """By turns the most urgent one that is left and the least tried one. A cycle does not always come to the
    end of them: what AWS soon takes no more must not wait behind all others, nor what has hardly been tried
    behind one that fails each time.

    Args:
        suspects: most urgent first.
    """
    least_tried = sorted(suspects, key=lambda record: record.attempts)
    order = (record for pair in zip(suspects, least_tried, strict=True) for record in pair)
    return list({record.metering_record_id: record for record in order}.values())


def _filled(records: Iterable[MeteringRecord]) -> Iterator[list[MeteringRecord]]:
    """Records in calls that hold as many as AWS takes."""
    call: list[MeteringRecord] = []
    size = 0
    for record in records:
        own = BYTES_OF_A_RECORD + bytes_sent(allocations(record))
        if call and (len(call) == RECORDS_PER_CALL or size + own > BYTES_PER_CALL):
            yield call
            call, size = [], 0
        call.append(record)
        size += own
    if call:
        yield call
