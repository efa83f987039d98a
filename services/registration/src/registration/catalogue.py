"""The products that this installation serves, read from `products.yaml` once, at start."""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

import yaml

from registration.branding import Branding, house_branding, read_branding
from registration.catalogue_entries import CatalogueError, Entry
from registration.form_fields import FormField, read_fields

__all__ = ["Catalogue", "CatalogueError", "Product", "read_catalogue", "understand"]

Generation = Literal["legacy", "concurrent_agreements"]
PricingModel = Literal["subscription", "contract", "contract_with_consumption"]
SignIn = Literal["offered", "required", "off"]

SECRET_PARTS = ("customer_id", "account_id", "subscription_id", "deployment_secret")
"""What a Quick Launch secret may be made of."""


@dataclass(frozen=True)
class Support:
    """Where a buyer finds help. AWS requires a support contact on the landing page."""

    email: str | None = None
    url: str | None = None

    def in_words(self) -> str:
        """`support@example.com or https://example.com/help`."""
        return " or ".join(way for way in (self.email, self.url) if way) or "the seller's support"


@dataclass(frozen=True)
class Dimension:
    """What is counted, or was bought a number of.

    Args:
        key: the API id; case matters.
        title: as people read it.
        unit: such as `Hours`.
    """

    key: str
    title: str
    unit: str


@dataclass(frozen=True)
class QuickLaunch:
    """The deployment parameter that AWS puts into the buyer's account, for the seller's template to read.

    Args:
        parameter: its name.
        secret: its value, with `{customer_id}` and the other SECRET_PARTS in it.
    """

    parameter: str
    secret: str

    @property
    def needs_the_back_end(self) -> bool:
        """Whether its value is not whole without what the seller's back end gives for each purchase."""
        return "{deployment_secret}" in self.secret

    def secret_of(self, **parts: str) -> str:
        """The value for one buyer: all of SECRET_PARTS, by name."""
        return self.secret.format_map(parts)


@dataclass(frozen=True)
class Product:
    product_code: str
    product_id: str
    title: str
    generation: Generation
    pricing_model: PricingModel
    dimensions: Mapping[str, Dimension]
    support: Support = Support()
    branding: Branding = field(default_factory=Branding)
    fields: tuple[FormField, ...] = ()
    sign_in: SignIn = "offered"
    hand_over_url: str | None = None
    quick_launch: QuickLaunch | None = None

    @property
    def has_entitlements(self) -> bool:
        """Whether AWS says how much was bought: of contracts, with consumption on top or without."""
        return self.pricing_model != "subscription"

    def dimension_title(self, key: str) -> str:
        """The key itself where the dimension has left the catalogue; its buyers have not left."""
        dimension = self.dimensions.get(key)
        return dimension.title if dimension else key


@dataclass(frozen=True)
class Catalogue:
    products: Mapping[str, Product]

    def find(self, product_code: str) -> Product | None:
        return self.products.get(product_code)

    def title_of(self, product_code: str) -> str | None:
        """None where the product has left the catalogue; its buyers have not left."""
        product = self.find(product_code)
        return product.title if product else None

    def any_support(self) -> Support:
        """For pages that are shown before the product is known."""
        return next(iter(self.products.values())).support

    def house_branding(self) -> Branding:
        """For the same pages: the seller's, where all products have the same seller."""
        return house_branding({code: product.branding for code, product in self.products.items()})


def read_catalogue(file: Path) -> Catalogue:
    """Read the catalogue. Paths in it are relative to the file.

    Raises:
        CatalogueError: the file is missing, is no YAML, or has a mistake in what registration needs of a
            product.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(f"PRODUCTS_FILE {file} cannot be read ({error.strerror}).") from error
    except yaml.YAMLError as error:
        raise CatalogueError(f"PRODUCTS_FILE {file} is not YAML: {error}.") from error
    return understand(content, file.parent)


def understand(content: Any, folder: Path = Path()) -> Catalogue:
    """Take from the catalogue's content what registration needs; other members of a product are for siblings.

    Args:
        content: what YAML made of the file.
        folder: what paths in it are relative to.

    Raises:
        CatalogueError: something is missing or wrong.
    """
    entries = content.get("products") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise CatalogueError("The catalogue needs a list `products` with at least one product.")
    products: dict[str, Product] = {}
    for position, entry in enumerate(entries):
        product = _product(Entry(entry, f"products[{position}]"), folder)
        if product.product_code in products:
            raise CatalogueError(f"The catalogue names the product code {product.product_code} twice.")
        products[product.product_code] = product
    return Catalogue(products)


def _product(entry: Entry, folder: Path) -> Product:
    generation = entry.choice("generation", ("legacy", "concurrent_agreements"))
    pricing_model = entry.choice("pricing_model", get_args(PricingModel))
    registration = entry.part("registration", ("sign_in", "hand_over", "quick_launch", "fields"))
    sign_in = registration.choice("sign_in", ("offered", "required", "off"), default="offered")
    return Product(
        product_code=entry.text("product_code"),
        product_id=entry.text(
            "product_id", "prod-[a-z0-9]+", "must be the entity id, such as prod-abc123; AWS shows both ids."
        ),
        title=entry.text("title"),
        generation="legacy" if generation == "legacy" else "concurrent_agreements",
        pricing_model=cast(PricingModel, pricing_model),
        dimensions=_dimensions(entry),
        support=_support(entry),
        branding=read_branding(entry, folder),
        fields=read_fields(registration),
        sign_in="required" if sign_in == "required" else "off" if sign_in == "off" else "offered",
        hand_over_url=registration.address("hand_over", secret=True),
        quick_launch=_quick_launch(registration),
    )


def _dimensions(product: Entry) -> dict[str, Dimension]:
    found: dict[str, Dimension] = {}
    for entry in product.parts("dimensions", ("key", "title", "unit", "draws_on")):
        key = entry.text("key")
        if key in found:
            raise entry.wrong("key", f"is {key}, as another one's: a product has each key once.")
        found[key] = Dimension(key, entry.text("title"), entry.text("unit"))
    if not found:
        raise product.wrong("dimensions", "must name at least one dimension with key, title and unit.")
    return found


def _support(product: Entry) -> Support:
    entry = product.part("support", ("email", "url"))
    return Support(
        email=entry.text("email", r"[^@\s]+@[^@\s]+", "must be an address: AWS asks for one on this page."),
        url=entry.address("url"),
    )


def _quick_launch(registration: Entry) -> QuickLaunch | None:
    if not registration.has("quick_launch"):
        return None
    entry = registration.part("quick_launch", ("parameter", "secret"))
    # Both limits are those of botocore's model of PutDeploymentParameter.
    parameter = entry.text(
        "parameter", "[a-zA-Z0-9/_+=.@-]{1,400}", "must be a name such as api-key, of 400 characters at most."
    )
    secret = entry.text("secret")
    if len(secret) > 10_000:
        raise entry.wrong("secret", "must leave room: AWS takes 15,000 characters of the filled one.")
    mend = f"may hold {', '.join(f'{{{part}}}' for part in SECRET_PARTS)}; write other braces twice."
    try:
        parts = [part for _, part, form, turn in string.Formatter().parse(secret) if part is not None]
        plain = not any(form or turn for _, _, form, turn in string.Formatter().parse(secret))
    except ValueError:
        raise entry.wrong("secret", mend) from None
    if not plain or not set(parts) <= set(SECRET_PARTS):
        raise entry.wrong("secret", mend)
    return QuickLaunch(parameter, secret)
