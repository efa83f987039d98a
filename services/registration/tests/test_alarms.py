"""What the alarms of observability/alerts.yaml look at: each condition is made, and the metric is seen to
move there and back."""

from conftest import House, a_license, news
from prometheus_client import REGISTRY
from test_renewals_at_the_doors import NEW, SECOND, registered, renewed, run

from chassis.queues import Queue
from registration.mail import MailAway


def sample(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(name, labels)
    assert found is not None, f"{name} {labels} is not shown"
    return found


def oldest() -> float:
    return sample("marketplane_registration_outbox_oldest_seconds")


def test_the_outbox_is_old(house: House) -> None:
    house.work()
    assert oldest() == 0
    house.mail.refusals = [MailAway("away") for _ in range(2)]
    house.customer_of("token-1")
    house.work()
    assert oldest() == 0, "it was written this very second"
    house.clock.advance(hours=1)
    house.work()
    assert oldest() == 3600
    # What is not due yet waits all the same, also beside one that is done at once.
    house.clock.advance(seconds=1)
    house.customer_of("token-2", LicenseArn=a_license(2))
    assert house.work() == 1
    assert oldest() == 3601
    house.clock.advance(hours=1)
    house.work()
    assert oldest() == 0
    assert len(house.mail.sent) == 2


def test_a_renewal_is_registered_by_somebody_else(house: House) -> None:
    name = "marketplane_registration_renewals_elsewhere"
    nobodys_queue: Queue = None  # type: ignore[assignment]
    first = registered(house)
    news(NEW, "active", "granted")
    house.customer_of("token-new", "eve@example.com", **SECOND)
    house.work()
    run(house, nobodys_queue, "sweep")
    assert sample(name) == 0
    renewed()
    run(house, nobodys_queue, "sweep")
    assert sample(name) == 1
    assert house.client.delete(f"/v1/customers/{first}", headers=house.operator).status_code == 204
    run(house, nobodys_queue, "sweep")
    assert sample(name) == 0
