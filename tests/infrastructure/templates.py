"""The templates of `infrastructure/`, their functions worked out for given parameters, as far as tests need
it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "infrastructure"
SERVICES = ("registration", "notifications", "metering")
TEMPLATES = sorted(path.stem for path in FOLDER.glob("*.yaml"))

ACCOUNT = "222233334444"
SELLER = "111122223333"
SELLER_ROLE = f"arn:aws:iam::{SELLER}:role/marketplane-marketplace"
NOTHING = object()
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": "eu-central-1",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "stack",
    "AWS::NoValue": NOTHING,
}
_REFERENCE = re.compile(r"\$\{([^}!]+)\}")


class _Loader(yaml.SafeLoader):
    """Short forms (`!Sub`) become the long ones (`Fn::Sub`)."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


@cache
def read(name: str) -> dict[str, Any]:
    """The template as it is written."""
    found: dict[str, Any] = yaml.load((FOLDER / f"{name}.yaml").read_text(), _Loader)
    return found


class Stack:
    """A template with values for its parameters.

    Args:
        name: of the template.
        parameters: beside the defaults; what has neither gets a made-up value.
        pseudo: other pseudo parameters than usual, such as another partition.
    """

    def __init__(
        self, name: str, parameters: dict[str, Any] | None = None, pseudo: dict[str, Any] | None = None
    ) -> None:
        self.template = read(name)
        self._values = dict(PSEUDO) | (pseudo or {})
        for key, parameter in self.template["Parameters"].items():
            value = (parameters or {}).get(key, parameter.get("Default"))
            if value is None or str(parameter["Type"]).startswith("AWS::SSM::"):
                value = (parameters or {}).get(key, f"value-of-{key}")
            if "List" in parameter["Type"] and isinstance(value, str):
                value = value.split(",")
            self._values[key] = value

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Those whose condition holds, worked out."""
        return {
            key: self.resolve(resource)
            for key, resource in self.template["Resources"].items()
            if "Condition" not in resource or self.holds(resource["Condition"])
        }

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties of the resources of one type, by logical id."""
        return {
            key: resource.get("Properties", {})
            for key, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def holds(self, condition: str) -> bool:
        return self._true(self.template["Conditions"][condition])

    def _true(self, value: Any) -> bool:
        [(function, given)] = value.items()
        if function == "Condition":
            return self.holds(given)
        if function == "Fn::Not":
            return not self._true(given[0])
        if function == "Fn::And":
            return all(self._true(one) for one in given)
        if function == "Fn::Or":
            return any(self._true(one) for one in given)
        assert function == "Fn::Equals", function
        return bool(self.resolve(given[0]) == self.resolve(given[1]))

    def resolve(self, value: Any) -> Any:
        """A value without functions. Tables and queues have their names and ARNs; of any other resource
        an attribute is `<attribute>-of-<logical id>`."""
        if isinstance(value, list):
            return [one for one in map(self.resolve, value) if one is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(function, given)] = value.items()
            if function == "Ref":
                return self._reference(given)
            if function == "Fn::GetAtt":
                return self._attribute(*given)
            if function == "Fn::Sub":
                assert isinstance(given, str), "only the short form is used"
                return _REFERENCE.sub(lambda match: self._named(match[1]), given)
            if function == "Fn::If":
                return self.resolve(given[1] if self.holds(given[0]) else given[2])
            if function == "Fn::Select":
                return self.resolve(given[1])[int(given[0])]
            if function == "Fn::Join":
                return str(given[0]).join(self.resolve(given[1]))
            assert not function.startswith("Fn::"), f"{function} is not understood here"
        found = {key: self.resolve(one) for key, one in value.items()}
        return {key: one for key, one in found.items() if one is not NOTHING}

    def _named(self, reference: str) -> str:
        if "." in reference:
            return str(self._attribute(*reference.split(".", 1)))
        return str(self._reference(reference))

    def _reference(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        return self._attribute(name, "Ref")

    def _attribute(self, name: str, attribute: str) -> Any:
        resource = self.template["Resources"][name]
        properties = resource.get("Properties", {})
        where = f"{self._values['AWS::Region']}:{self._values['AWS::AccountId']}"
        partition = self._values["AWS::Partition"]
        if resource["Type"] == "AWS::DynamoDB::Table":
            table = self.resolve(properties["TableName"])
            return f"arn:{partition}:dynamodb:{where}:table/{table}" if attribute == "Arn" else table
        if resource["Type"] == "AWS::SQS::Queue":
            queue = self.resolve(properties["QueueName"])
            return f"arn:{partition}:sqs:{where}:{queue}" if attribute == "Arn" else queue
        return f"{attribute}-of-{name}"


# What a seller must give, and nothing that may be left out.
LEAST = {
    "registration": {"ImageDigest": "sha256:" + "0" * 64, "Host": "register.seller.example"},
    "notifications": {"ImageDigest": "sha256:" + "0" * 64, "Host": "notifications.seller.example"},
    "metering": {"ImageDigest": "sha256:" + "0" * 64, "Host": "metering.seller.example"},
}
# All that can be switched on by parameters.
MOST = {
    "registration": LEAST["registration"]
    | {
        "MarketplaceRoleArn": f"{SELLER_ROLE}-registration-eu-central-1",
        "MarketplaceRoleExternalId": "external-id-of-16",
        "TracesEndpoint": "https://collector.seller.example",
        "JwksUrl": "https://id.seller.example/jwks",
        "JwtIssuer": "https://id.seller.example",
        "JwtAudience": "marketplane",
        "BrowserOrigins": "https://portal.seller.example",
        "OidcIssuer": "https://id.seller.example",
        "OidcClientId": "registration",
        "OidcClientSecretArn": f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:oidc-AbCdEf",
        "GitHubClientId": "github",
        "GitHubClientSecretArn": f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:github-AbCdEf",
        "HandOverSecretArn": f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:hand-over-AbCdEf",
        "MailFrom": "welcome@seller.example",
        "MailIdentityArn": f"arn:aws:ses:eu-central-1:{ACCOUNT}:identity/seller.example",
    },
    "notifications": LEAST["notifications"]
    | {
        "MarketplaceRoleArn": f"{SELLER_ROLE}-notifications-eu-central-1",
        "MarketplaceRoleExternalId": "external-id-of-16",
        "TracesEndpoint": "https://collector.seller.example",
        "SellerAccountId": SELLER,
        "LegacyTopicArns": "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-abc",
        "EventBridgeSecretsArn": f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:eventbridge-AbCdEf",
    },
    "metering": LEAST["metering"]
    | {
        "MarketplaceRoleArn": f"{SELLER_ROLE}-metering-eu-central-1",
        "MarketplaceRoleExternalId": "external-id-of-16",
        "TracesEndpoint": "https://collector.seller.example",
    },
}
