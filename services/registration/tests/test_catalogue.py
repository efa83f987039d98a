"""The catalogue: read, or refused with a sentence that says the mend."""

from pathlib import Path
from typing import Any

import pytest

from registration.catalogue import CatalogueError, read_catalogue, understand

GOOD = {"product_code": "code", "title": "Title", "generation": "legacy"}


def test_a_product_is_found_by_its_code() -> None:
    catalogue = understand({"products": [GOOD | {"support": {"email": "a@b.example"}, "dimensions": []}]})
    product = catalogue.find("code")
    assert product is not None
    assert product.support.in_words() == "a@b.example"
    assert catalogue.find("prod-code") is None
    assert catalogue.title_of("gone") is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "a list `products`"),
        ({"products": []}, "at least one product"),
        ({"products": ["code"]}, r"products\[0\] of the catalogue must be a mapping"),
        ({"products": [GOOD, GOOD]}, "names the product code code twice"),
        (
            {"products": [GOOD | {"generation": "new"}]},
            "must be `legacy` or `concurrent_agreements`, not 'new'",
        ),
        ({"products": [GOOD | {"title": ""}]}, r"products\[0\].title of the catalogue must be a text"),
        ({"products": [GOOD | {"support": "me"}]}, "support must be a mapping"),
    ],
)
def test_a_bad_catalogue_says_what_is_wrong(content: Any, says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        understand(content)


def test_a_missing_or_unreadable_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_catalogue(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("products: [", encoding="utf-8")
    with pytest.raises(CatalogueError, match="is not YAML"):
        read_catalogue(tmp_path / "bad.yaml")
