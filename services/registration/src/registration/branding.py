"""How a product's pages look: the seller's name, logo, colours and words."""

import base64
import re
import xml.etree.ElementTree as ElementTree  # nosec B405 # what it parses has no DOCTYPE
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from registration.catalogue_entries import Entry
from registration.languages import Texts

PAPER = "#ffffff"
"""What the pages' text stands on in light; `templates/style.css` has the same."""
PAPER_DARK = "#192534"

LOWEST_CONTRAST = 4.5
"""WCAG 2.2, success criterion 1.4.3: links in the accent on the paper, and the paper's colour on a button."""

LARGEST_LOGO_BYTES = 64 * 1024
"""The logo stands inside each page, which is sent anew to each buyer."""

_MEMBERS = ("seller", "logo", "accent", "accent_dark", "welcome", "next_steps", "product_url")
_PNG_BEGINS = b"\x89PNG\r\n\x1a\n"
_SVG_ROOT = "{http://www.w3.org/2000/svg}svg"


@dataclass(frozen=True)
class Branding:
    """What a seller may change of a product's pages and letters.

    Args:
        seller: who stands behind the product, by name.
        logo: a `data:` URI.
        accent: of links and buttons, on PAPER.
        accent_dark: the same on PAPER_DARK.
        welcome: a sentence or two on the form page.
        next_steps: what to do once registered; on the page and in the letter.
        product_url: where the product is.
    """

    seller: str | None = None
    logo: str | None = field(default=None, repr=False)
    accent: str = "#0b5cad"
    accent_dark: str = "#7fb8f5"
    welcome: Texts = field(default_factory=dict)
    next_steps: Texts = field(default_factory=dict)
    product_url: str | None = None


def read_branding(entry: Entry, folder: Path) -> Branding:
    """Read `branding` of a product.

    Args:
        entry: the product.
        folder: what the logo's path is relative to.

    Raises:
        CatalogueError: a logo that cannot be shown, a colour that cannot be read against its ground, or
            another mistake.
    """
    branding, plain = entry.part("branding", _MEMBERS), Branding()
    return Branding(
        seller=branding.optional_text("seller"),
        logo=_logo(branding, folder),
        accent=_colour(branding, "accent", plain.accent, PAPER),
        accent_dark=_colour(branding, "accent_dark", plain.accent_dark, PAPER_DARK),
        welcome=branding.texts("welcome"),
        next_steps=branding.texts("next_steps"),
        product_url=branding.address("product_url"),
    )


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours `#rrggbb`, from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[position : position + 2], 16) / 255 for position in (1, 3, 5))
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _colour(entry: Entry, member: str, default: str, ground: str) -> str:
    colour = entry.optional_text(member, "#[0-9a-fA-F]{6}", "must be a colour such as '#0b5cad', in quotes.")
    if colour is None:
        return default
    ratio = contrast(colour, ground)
    if ratio < LOWEST_CONTRAST:
        way = "darker" if ground == PAPER else "lighter"
        raise entry.wrong(
            member,
            f"has a contrast of {ratio:.1f} to the page ({ground}), and people need {LOWEST_CONTRAST}: "
            f"choose a {way} one than {colour}.",
        )
    return colour.lower()


def _logo(entry: Entry, folder: Path) -> str | None:
    name = entry.optional_text("logo")
    if name is None:
        return None
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise entry.wrong(
            "logo", f"names {folder / name}, which cannot be read ({error.strerror})."
        ) from error
    if len(content) > LARGEST_LOGO_BYTES:
        raise entry.wrong(
            "logo", f"has {len(content)} bytes; {LARGEST_LOGO_BYTES} are the most: make it smaller."
        )
    kind = _kind_of(content)
    if kind is None:
        raise entry.wrong(
            "logo", f"names {name}, which is neither a PNG nor a plain SVG (no DOCTYPE, no script in it)."
        )
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _kind_of(content: bytes) -> str | None:
    """The media type. Browsers run no script in an image; one that carries a script is not what it seems."""
    if content.startswith(_PNG_BEGINS):
        return "image/png"
    # With no DOCTYPE there are no entities that a parser could be made to blow up.
    if re.search(rb"<!DOCTYPE|<script", content, re.IGNORECASE):
        return None
    try:
        root = ElementTree.fromstring(content)  # nosec B314 # the seller's own file, and without a DOCTYPE
    except ElementTree.ParseError:
        return None
    return "image/svg+xml" if root.tag == _SVG_ROOT else None


def house_branding(brandings: Mapping[str, Branding]) -> Branding:
    """For pages that are shown before the product is known: the seller's, where all products have the same
    seller; else plain."""
    sellers = {branding.seller for branding in brandings.values()}
    return next(iter(brandings.values())) if len(sellers) == 1 else Branding()
