"""The catalogue of the journeys: the products that everybody gets, and one for each other way to register."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from tools.stack import ROOT

CONTRACT = "6cexamplecontract00000000"  # of products.yaml
HANDING_OVER = "5hexamplehosted0000000000"
SIGN_IN_ONLY = "4sexampleprivate000000000"
LAUNCHED = "3qexamplelaunched00000000"

PRODUCT_IDS = {HANDING_OVER: "prod-hostedexample", LAUNCHED: "prod-launchedexample"}
PARAMETER = "MarketplaneKey"
SUPPORT = "support@seller.example"


def write_catalogue(folder: Path, back_end: str) -> Path:
    """Writes it, with all that it names, and answers the file.

    Args:
        folder: where to; it exists.
        back_end: where the seller's own back end is asked for accounts.
    """
    shutil.copytree(ROOT / "branding", folder / "branding")
    products = yaml.safe_load((ROOT / "products.yaml").read_text())["products"]
    products += [
        _product(
            HANDING_OVER,
            PRODUCT_IDS[HANDING_OVER],
            "Hosted Inference",
            hand_over=f"{back_end}/accounts",
            quick_launch={"parameter": PARAMETER, "secret": "{deployment_secret}"},
            fields=[{"name": "purpose", "label": {"en": "Purpose"}, "kind": "text", "required": True}],
        ),
        _product(SIGN_IN_ONLY, "prod-privateexample", "Private Inference", sign_in="required"),
        _product(
            LAUNCHED,
            PRODUCT_IDS[LAUNCHED],
            "Launched Inference",
            quick_launch={"parameter": PARAMETER, "secret": "{customer_id}/{subscription_id}"},
        ),
    ]
    file = folder / "products.yaml"
    file.write_text(yaml.safe_dump({"products": products}))
    return file


def _product(product_code: str, product_id: str, title: str, **registration: Any) -> dict[str, Any]:
    return {
        "product_code": product_code,
        "product_id": product_id,
        "title": title,
        "generation": "concurrent_agreements",
        "pricing_model": "subscription",
        "support": {"email": SUPPORT},
        "dimensions": [{"key": "gpu_hours", "title": "GPU hours", "unit": "Hours"}],
        "registration": registration,
    }
