"""A seller's branding: readable, small and harmless, or refused with a sentence that says the mend."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from registration.branding import LARGEST_LOGO_BYTES, Branding, contrast, house_branding, read_branding
from registration.catalogue_entries import CatalogueError, Entry

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><rect width="1" height="1"/></svg>'
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16


def branded(folder: Path = Path(), **branding: Any) -> Branding:
    return read_branding(Entry({"branding": branding}, "products[0]"), folder)


def test_without_branding_a_page_is_plain_and_readable() -> None:
    assert read_branding(Entry({}, "products[0]"), Path()) == Branding()
    assert contrast(Branding.accent, "#ffffff") >= 4.5
    assert contrast(Branding.accent_dark, "#192534") >= 4.5


# WCAG 2.2's extremes, and pairs whose ratios its own checkers print.
@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21),
        ("#777777", "#777777", 1),
        ("#777777", "#ffffff", 4.48),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_contrast_is_the_one_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


@pytest.mark.parametrize(("content", "kind"), [(SVG, "image/svg+xml"), (PNG, "image/png")])
def test_a_logo_becomes_part_of_the_page(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "logo").write_bytes(content)
    logo = branded(tmp_path, logo="logo").logo
    assert logo is not None
    assert re.fullmatch(r"data:[a-z/+]+;base64,[A-Za-z0-9+/=]+", logo)
    head, _, body = logo.partition(",")
    assert head == f"data:{kind};base64"
    assert base64.b64decode(body) == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"<svg",
        b"<svg></svg>",
        SVG.replace(b"<rect", b"<script>alert(1)</script><rect"),
        b'<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG,
        b"<html xmlns='http://www.w3.org/1999/xhtml'/>",
    ],
)
def test_another_file_is_no_logo(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "logo").write_bytes(content)
    with pytest.raises(CatalogueError, match="neither a PNG nor a plain SVG"):
        branded(tmp_path, logo="logo")


def test_a_logo_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "logo").write_bytes(PNG.ljust(LARGEST_LOGO_BYTES, b"\0"))
    assert branded(tmp_path, logo="logo").logo
    (tmp_path / "logo").write_bytes(PNG.ljust(LARGEST_LOGO_BYTES + 1, b"\0"))
    with pytest.raises(CatalogueError, match="65536 are the most"):
        branded(tmp_path, logo="logo")


@pytest.mark.parametrize(
    ("branding", "says"),
    [
        ({"colour": "#000000"}, "has colour, which nobody reads"),
        ({"accent": "blue"}, "accent .* must be a colour such as '#0b5cad', in quotes"),
        ({"accent": 0}, "must be a colour"),
        ({"accent": "#777777"}, r"contrast of 4\.5 to the page \(#ffffff\), .* darker one than #777777"),
        ({"accent_dark": "#0b5cad"}, "lighter one than #0b5cad"),
        ({"logo": "none.svg"}, "names none.svg, which cannot be read"),
        ({"product_url": "app.seller.example"}, "product_url .* must be a web address"),
        ({"product_url": "https://a b"}, "must be a web address"),
        ({"seller": ["x"]}, "seller of the catalogue must be a text"),
        ({"welcome": "Hello"}, "welcome of the catalogue must be a mapping"),
        ({"welcome": {"de": "Hallo"}}, "welcome.en .* is missing: it is what is shown"),
        ({"welcome": {"en": "Hello", "fr": "Bonjour"}}, "has fr, which nobody reads: write one of en, de"),
        ({"next_steps": {"en": "Go", "de": 5}}, "next_steps.de .* must be a text"),
    ],
)
def test_bad_branding_says_what_to_mend(branding: dict[str, Any], says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        branded(**branding)


def test_a_folded_text_keeps_its_paragraphs_and_loses_its_edges() -> None:
    assert branded(next_steps={"en": "First.\n\nThen.\n"}).next_steps == {"en": "First.\n\nThen."}


def test_pages_before_the_product_is_known_have_the_sellers_branding_if_there_is_one_seller() -> None:
    one, same, other = (Branding(seller=name) for name in ("A", "A", "B"))
    assert house_branding({"1": one, "2": same}) is one
    assert house_branding({"1": one, "2": other}) == Branding()
