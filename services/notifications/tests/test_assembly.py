"""What stands at the edges: catalogue, settings, loops, readiness."""

import threading
from pathlib import Path

import pytest
import samples
import yaml
from conftest import NEWS_QUEUE, OTHER_SIGNALS, SIGNALS, World
from pydantic import ValidationError
from samples import after, cancelled_life

from chassis.clock import FrozenClock
from notifications.app import build_worker
from notifications.catalogue import Catalogue, PricingModel, Product, read_catalogue
from notifications.news import Generation
from notifications.settings import Settings


def test_the_house_s_own_catalogue() -> None:
    file = Path(__file__).parents[3] / "products.yaml"
    products = yaml.safe_load(file.read_text())["products"]
    catalogue = read_catalogue(file)
    assert len(catalogue) == len(products) > 1
    contracts = [one["product_code"] for one in products if one["pricing_model"] != "subscription"]
    sold = [one["product_code"] for one in products if catalogue.sells_entitlements(one["product_code"])]
    assert sold == contracts


def test_the_catalogue_knows_products_by_code() -> None:
    catalogue = Catalogue(
        [Product("74az0EXAMPLE", Generation.CONCURRENT_AGREEMENTS, PricingModel.SUBSCRIPTION)]
    )
    news = samples.news_of(cancelled_life()[1])
    assert catalogue.knows(news)
    assert catalogue.tells_by(news)
    agreement = samples.news_of(samples.CREATED)
    assert catalogue.knows(agreement)
    assert catalogue.tells_by(agreement)
    assert not Catalogue([]).knows(news)
    assert not Catalogue([Product("74az0EXAMPLE", Generation.LEGACY, PricingModel.CONTRACT)]).tells_by(news)


def test_contracts_have_entitlements() -> None:
    catalogue = Catalogue([Product(model.value, Generation.LEGACY, model) for model in PricingModel])
    codes = ["subscription", "contract", "contract_with_consumption", "not-ours"]
    assert [catalogue.sells_entitlements(code) for code in codes] == [False, True, True, False]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("products: [", "is not a catalogue of products"),
        ("hello", "is not a catalogue of products"),
        ("products: [{product_code: x}]", "is not a catalogue of products: 'generation'"),
        ("products: [{product_code: x, generation: new}]", "'new' is not a valid Generation"),
        (
            "products: [{product_code: x, generation: legacy}]",
            "is not a catalogue of products: 'pricing_model'",
        ),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_bad_catalogue_stops_the_start_with_a_sentence(
    world: World, tmp_path: Path, text: str | None, why: str
) -> None:
    file = tmp_path / "products.yaml"
    if text is not None:
        file.write_text(text)
    settings = world.settings.model_copy(update={"products_file": file})
    with pytest.raises(SystemExit) as stopped:
        build_worker(settings, world.clock, world.sqs, world.marketplace)
    assert str(stopped.value).startswith(f"Cannot start. PRODUCTS_FILE {file} ")
    assert why in str(stopped.value)


def test_settings() -> None:
    settings = Settings(environment="test", signal_queues=" a, b ,")
    assert settings.signal_queue_names == ["a", "b"]
    assert Settings(environment="test").signal_queue_names == [
        "marketplane-metering-subscription-events",
        "marketplane-registration-subscription-events",
    ]
    assert all(field.description for field in Settings.model_fields.values())
    with pytest.raises(ValidationError, match="at most 20 queues"):
        Settings(signal_queues=",".join("abcdefghijklmnopqrstu"))
    with pytest.raises(ValidationError, match="greater than or equal to 365"):
        Settings(inbox_retention_days=30)


def test_the_loops_carry_a_message_from_queue_to_signal(world: World) -> None:
    """All of them at once, as the process runs them."""
    world.send(*cancelled_life()[:2])
    stop = threading.Event()
    threads = [threading.Thread(target=loop, args=(stop,)) for loop in world.assembled.loops.values()]
    for thread in threads:
        thread.start()
    try:
        for queue in (SIGNALS, OTHER_SIGNALS):
            signals = []
            for _ in range(100):
                signals += world.signals(queue)
                if signals or stop.wait(0.05):
                    break
            assert [signal["type"] for signal in signals] == ["subscription.activated"]
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    assert sorted(world.assembled.loops) == [
        "dead-letters",
        "news-1",
        "news-2",
        "questions",
        "reconciliations",
        "sweep",
        "teller",
        "webhook-replays",
        "webhook-sender",
    ]


def test_readiness_asks_table_queue_and_clock(world: World) -> None:
    assert sorted(world.assembled.readiness) == ["clock", "queue", "tables"]
    for ask in world.assembled.readiness.values():
        ask()
    away = world.settings.model_copy(update={"notifications_queue": "not-there"})
    assembled = build_worker(away, FrozenClock(after(0)), world.sqs, world.marketplace)
    with pytest.raises(Exception, match="does not exist"):
        assembled.readiness["queue"]()
    assert world.settings.notifications_queue == NEWS_QUEUE
