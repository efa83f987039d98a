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

# A record that is still in doubt after so many calls is sent alone, so that it cannot hold up the records
# beside it. A call that was certainly not counted (throttled, or refused for a fault of ours) says nothing
# against its records: sent one by one after an outage, they would take twenty-five times as long.
ATTEMPTS_IN_COMPANY = 3


def batches(
    records: Iterable[MeteringRecord], deadline: Callable[[MeteringRecord], datetime]
) -> list[list[MeteringRecord]]:
    """Divide records into calls of one product and generation, most urgent first, suspects last and alone."""
    company: dict[Listing, list[MeteringRecord]] = defaultdict(list)
    suspects: list[MeteringRecord] = []
    for record in sorted(records, key=deadline):
        if record.in_doubt and record.attempts >= ATTEMPTS_IN_COMPANY:
            suspects.append(record)
        else:
            company[record.identity.listing].append(record)
    calls = [call for group in company.values() for call in _filled(group)]
    calls.sort(key=lambda call: deadline(call[0]))
    return calls + [[record] for record in _by_turns(suspects)]


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
