"""DynamoDB: what lies there (`models.py`), and the reads and writes of ledger, records and siblings' rows."""

from pynamodb.models import Model

from metering.tables.models import (
    AllowanceRow,
    CallRateRow,
    CustomerRow,
    EndpointRow,
    HealthRow,
    HeldDecisionRow,
    HourRow,
    IdentityRow,
    LedgerRowModel,
    MeteringKey,
    ReconciliationRow,
    RecordRow,
    RunRow,
    SegmentRow,
    SubscriptionRow,
)

OWN: list[type[Model]] = [
    SegmentRow,
    HourRow,
    LedgerRowModel,
    AllowanceRow,
    RecordRow,
    HeldDecisionRow,
    ReconciliationRow,
    EndpointRow,
    CallRateRow,
    RunRow,
    HealthRow,
    MeteringKey,
]
READ: list[type[Model]] = [SubscriptionRow, CustomerRow, IdentityRow]
