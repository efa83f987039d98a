"""The catalogue: read, or refused with a sentence that says the mend."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from registration.catalogue import CatalogueError, QuickLaunch, read_catalogue, understand

ROOT = Path(__file__).parents[3]

GOOD: dict[str, Any] = {
    "product_code": "code",
    "product_id": "prod-code",
    "title": "Title",
    "generation": "legacy",
    "pricing_model": "subscription",
    "dimensions": [{"key": "gpu_hours", "title": "GPU hours", "unit": "Hours"}],
    "support": {"email": "a@b.example"},
}


def product_of(**changes: Any) -> Any:
    product = understand({"products": [GOOD | changes]}).find("code")
    assert product is not None
    return product


def test_a_product_is_found_by_its_code() -> None:
    catalogue = understand({"products": [GOOD]})
    product = catalogue.find("code")
    assert product is not None
    assert product.support.in_words() == "a@b.example"
    assert (product.product_id, product.has_entitlements) == ("prod-code", False)
    assert (product.fields, product.sign_in, product.hand_over_url) == ((), "offered", None)
    assert product.quick_launch is None
    assert catalogue.find("prod-code") is None
    assert catalogue.title_of("gone") is None


def test_a_dimension_that_has_left_is_shown_by_its_key() -> None:
    product = product_of(pricing_model="contract")
    assert product.has_entitlements
    assert product.dimension_title("gpu_hours") == "GPU hours"
    assert product.dimension_title("GPU_hours") == "GPU_hours"


def test_members_for_siblings_are_left_alone() -> None:
    assert product_of(cut_over="2026-12-01T00:00:00Z").title == "Title"


def test_how_a_buyer_registers_is_read() -> None:
    product = product_of(
        registration={
            "sign_in": "required",
            "hand_over": "https://accounts.seller.example/marketplace",
            "quick_launch": {"parameter": "api-key", "secret": '{{"id": "{customer_id}"}}'},
            "fields": [{"name": "purpose", "label": {"en": "What for?"}, "kind": "text"}],
        }
    )
    assert product.sign_in == "required"
    assert product.hand_over_url == "https://accounts.seller.example/marketplace"
    assert [one.name for one in product.fields] == ["purpose"]
    assert product.quick_launch == QuickLaunch("api-key", '{{"id": "{customer_id}"}}')
    filled = product.quick_launch.secret_of(
        customer_id="cus_1", account_id="a", subscription_id="sub_1", deployment_secret="s"
    )
    assert json.loads(filled) == {"id": "cus_1"}


def test_a_bare_off_means_off() -> None:
    # YAML 1.1 makes false of it.
    assert product_of(registration={"sign_in": False}).sign_in == "off"


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_a_hand_over_on_this_machine_needs_no_https(host: str) -> None:
    address = f"http://{host}/accounts"
    assert product_of(registration={"hand_over": address}).hand_over_url == address


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "a list `products`"),
        ({"products": []}, "at least one product"),
        ({"products": ["code"]}, r"products\[0\] of the catalogue must be a mapping"),
        ({"products": [GOOD, GOOD]}, "names the product code code twice"),
    ],
)
def test_a_bad_catalogue_says_what_is_wrong(content: Any, says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        understand(content)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"generation": "new"}, "generation .* must be `legacy` or `concurrent_agreements`, not 'new'"),
        (
            {"pricing_model": "free"},
            "pricing_model .* must be `subscription`, `contract` or `contract_with_consumption`",
        ),
        ({"product_id": "code"}, "product_id .* must be the entity id"),
        ({"title": ""}, r"products\[0\].title of the catalogue must be a text"),
        ({"title": "A\nB"}, "title of the catalogue must be a text"),
        ({"support": "me"}, "support of the catalogue must be a mapping"),
        ({"support": {"url": "https://seller.example"}}, "support.email .* AWS asks for one"),
        (
            {"support": {"email": "a@b.example", "url": "javascript:x"}},
            "support.url .* must be a web address",
        ),
        ({"dimensions": []}, "dimensions .* at least one"),
        ({"dimensions": GOOD["dimensions"] * 2}, "key .* as another one's"),
        ({"dimensions": [{"key": "a", "title": "A"}]}, r"dimensions\[0\].unit .* must be a text"),
        ({"registration": {"signin": "off"}}, "has signin, which nobody reads: write one of sign_in,"),
        ({"registration": {"sign_in": "maybe"}}, "must be `offered`, `required` or `off`, not 'maybe'"),
        ({"registration": {"hand_over": "http://seller.example"}}, "hand_over .* must begin with https://"),
        ({"registration": {"hand_over": "seller.example"}}, "hand_over .* must be a web address"),
        ({"registration": {"quick_launch": {"parameter": "a b", "secret": "x"}}}, "must be a name such as"),
        ({"registration": {"quick_launch": {"parameter": "a"}}}, "secret of the catalogue must be a text"),
        ({"registration": {"quick_launch": {"parameter": "a", "secret": "x" * 10_001}}}, "must leave room"),
    ],
)
def test_a_bad_product_says_where_and_what_to_mend(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        product_of(**changes)


@pytest.mark.parametrize(
    "secret",
    ["{email}", "{customer_id!r}", "{customer_id:>9}", "{customer_id.secret}", "{}", "{0}", "{", '{"id": 1}'],
)
def test_a_secret_is_made_of_what_there_is(secret: str) -> None:
    with pytest.raises(CatalogueError, match=r"may hold {customer_id}, .* write other braces twice"):
        product_of(registration={"quick_launch": {"parameter": "a", "secret": secret}})


def test_a_missing_or_unreadable_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_catalogue(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("products: [", encoding="utf-8")
    with pytest.raises(CatalogueError, match="is not YAML"):
        read_catalogue(tmp_path / "bad.yaml")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    shutil.copy(ROOT / "products.yaml", tmp_path)
    with pytest.raises(CatalogueError, match=r"logo .* cannot be read"):
        read_catalogue(tmp_path / "products.yaml")
    shutil.copytree(ROOT / "branding", tmp_path / "branding")
    catalogue = read_catalogue(tmp_path / "products.yaml")
    assert catalogue.house_branding().seller == "Example Seller"
    assert {product.pricing_model for product in catalogue.products.values()} == {"subscription", "contract"}
