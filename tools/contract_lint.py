"""Are the promises below openapi/ valid in their own language?

Each API is valid OpenAPI 3.0 with every reference resolved and every example true to its schema; each
message, table and catalogue schema is valid JSON Schema 2020-12; products.yaml keeps to the catalogue's
schema. The house's own rules about contracts are tests in tests/architecture.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import jsonschema_rs
import yaml
from openapi_spec_validator import OpenAPIV30SpecValidator

ROOT = Path(__file__).resolve().parent.parent
OPENAPI = ROOT / "openapi"


def problems() -> Iterator[str]:
    """A sentence for each thing that is wrong."""
    apis = sorted(OPENAPI.glob("*.yaml"))
    schemas = sorted(OPENAPI.glob("*/*.schema.json"))
    if not apis or not schemas:
        yield "openapi/ holds no contract, or no schema."
    for path in apis:
        document = yaml.safe_load(path.read_text())
        for error in OpenAPIV30SpecValidator(document, base_uri=path.as_uri()).iter_errors():
            where = "/".join(str(part) for part in error.absolute_path)
            yield f"{path.relative_to(ROOT)} at {where}: {error.message[:500]}"
    for path in schemas:
        try:
            jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))
        except (jsonschema.SchemaError, ValueError) as error:
            yield f"{path.relative_to(ROOT)}: {str(error)[:500]}"
    yield from catalogue_problems()


def catalogue_problems() -> Iterator[str]:
    schema_file, products_file = OPENAPI / "catalogue" / "products.schema.json", ROOT / "products.yaml"
    for path in (schema_file, products_file):
        if not path.exists():
            yield f"{path.relative_to(ROOT)} is missing."
            return
    schema = json.loads(schema_file.read_text())
    products = yaml.safe_load(products_file.read_text())
    for error in jsonschema_rs.validator_for(schema).iter_errors(products):
        yield f"products.yaml at {'/'.join(map(str, error.instance_path))}: {error.message}"


def main() -> int:
    found = list(problems())
    for problem in found:
        print(problem)
    print(f"{len(found)} problems in the contracts." if found else "The contracts are valid.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
