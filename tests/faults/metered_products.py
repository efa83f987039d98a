"""The products that the stories of the money path need beside those of `products.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.journeys.catalogue import SUPPORT

WITH_CONSUMPTION = "8wexampleconsumption00000"
CUT_OVER = "9cexamplecutover000000000"
WITH_ZEROS = "2zexamplezeros00000000000"


def add_products(file: Path) -> None:
    """Adds them to a catalogue."""
    catalogue = yaml.safe_load(file.read_text())
    catalogue["products"] += [
        _product(
            WITH_CONSUMPTION,
            "prod-consumptionexample",
            generation="concurrent_agreements",
            pricing_model="contract_with_consumption",
        ),
        # To be bought as it was before: its licences are bought of another product and published as of this.
        _product(
            CUT_OVER,
            "prod-cutoverexample",
            generation="legacy",
            metering={"cut_over": "2026-01-01T00:00:00Z"},
        ),
        _product(
            WITH_ZEROS,
            "prod-zerosexample",
            generation="concurrent_agreements",
            metering={"zero_records": True},
        ),
    ]
    file.write_text(yaml.safe_dump(catalogue))


def _product(product_code: str, product_id: str, **more: Any) -> dict[str, Any]:
    return {
        "product_code": product_code,
        "product_id": product_id,
        "title": product_id,
        "pricing_model": "subscription",
        "support": {"email": SUPPORT},
        "dimensions": [{"key": "gpu_hours", "title": "GPU hours", "unit": "Hours"}],
        **more,
    }
