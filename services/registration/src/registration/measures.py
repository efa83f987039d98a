"""What registration counts, beside what every process counts (`chassis.metrics`)."""

from prometheus_client import Counter, Gauge

ARRIVALS = Counter(
    "marketplane_registration_arrivals_total", "Buyers whose token was resolved.", ["product_code"]
)
BOUND = Counter(
    "marketplane_registration_bound_total",
    "Purchases bound to a customer, by how the customer was found.",
    ["customer"],
)
RENEWALS_ELSEWHERE = Gauge(
    "marketplane_registration_renewals_elsewhere",
    "Renewals that another customer registered first, as the last sweep found them.",
)
CLAIMS_REFUSED = Counter(
    "marketplane_registration_claims_refused_total", "Claims of subscriptions that are somebody else's."
)
OUTBOX_DONE = Counter("marketplane_registration_outbox_done_total", "Outbox items done.", ["kind"])
OUTBOX_FAILED = Counter(
    "marketplane_registration_outbox_failed_total", "Tries of outbox items that did not succeed.", ["kind"]
)
OUTBOX_ITEMS = Gauge(
    "marketplane_registration_outbox_items", "Outbox items found by the last round.", ["state"]
)
OUTBOX_OLDEST = Gauge(
    "marketplane_registration_outbox_oldest_seconds",
    "Age of the oldest outbox item that the last round left; 0 where it left none.",
)
