"""Calls under a role of another account: only the account that published a product may ask AWS Marketplace.

The credentials are temporary. botocore asks for new ones before they end, in the call that needs them; what
goes wrong then is told apart from what goes wrong in the call itself, whose errors bear the same names.
"""

from functools import lru_cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
)

from chassis.aws import client, error_code, is_outage
from chassis.settings import ChassisSettings

SESSION_NAME = "marketplane"
"""How the calls are named in the other account's CloudTrail, after the role's own name."""

_METHOD = "assume-role"


def marketplace_client(
    settings: ChassisSettings, service: str, region: str | None = None, attempts: int | None = None
) -> Any:
    """A boto3 client of AWS Marketplace: with MARKETPLACE_ROLE_ARN, it calls under that role.

    Args:
        settings: as for `client`, and the role.
        service: boto3's name, such as `meteringmarketplace`.
        region: see `client`.
        attempts: see `client`.
    """
    session = None
    if settings.marketplace_role_arn:
        session = session_under(
            settings.marketplace_role_arn,
            settings.marketplace_role_external_id,
            settings.aws_region,
            settings.aws_connect_timeout_seconds,
            settings.aws_read_timeout_seconds,
            settings.aws_attempts,
        )
    return client(settings, service, region=region, attempts=attempts, session=session)


@lru_cache(maxsize=16)
def session_under(
    role_arn: str,
    external_id: str,
    region: str,
    connect_seconds: float,
    read_seconds: float,
    attempts: int,
) -> boto3.session.Session:
    """A session whose clients call under the role. Who asks for the same one shares it and its credentials.

    Args:
        role_arn: the role; its trust names who may take it on.
        external_id: what the trust asks for beside that; empty where it asks for nothing.
        region: whose STS is asked.
        connect_seconds: how long to wait for a connection to STS.
        read_seconds: how long to wait for an answer of STS.
        attempts: how often STS is asked, the first time included.
    """
    own = botocore.session.get_session()
    config = Config(
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )

    def sts(service: str, **keys: Any) -> Any:
        return own.create_client(service, region_name=region, config=config, **keys)

    def renew() -> dict[str, Any]:
        source = own.get_credentials()
        if source is None:
            raise NoCredentialsError()
        extra = {"RoleSessionName": SESSION_NAME} | ({"ExternalId": external_id} if external_id else {})
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=sts, source_credentials=source, role_arn=role_arn, extra_args=extra
        )
        return _fetch(fetcher, region)

    other = botocore.session.Session()
    other.register_component("credential_provider", CredentialResolver([_Renewing(renew)]))
    return boto3.session.Session(botocore_session=other)


def _fetch(fetcher: Any, region: str) -> dict[str, Any]:
    """New credentials.

    Raises:
        CredentialRetrievalError: STS refused. Its own error (such as `ExpiredTokenException`) would be taken
            for an answer of the call that waits for the credentials.
        EndpointConnectionError: STS is away or asked us to slow down. The call that waits was never sent,
            which a lost answer of its own would not say.
    """
    try:
        return dict(fetcher.fetch_credentials())
    except Exception as error:
        if is_outage(error):
            raise EndpointConnectionError(endpoint_url=f"STS in {region}", error=error_code(error)) from error
        if isinstance(error, ClientError):
            raise CredentialRetrievalError(provider=_METHOD, error_msg=error_code(error)) from error
        raise


class _Renewing(CredentialProvider):  # type: ignore[misc]
    METHOD = _METHOD

    def __init__(self, renew: Any) -> None:
        super().__init__()
        self._renew = renew

    def load(self) -> Any:
        return DeferredRefreshableCredentials(refresh_using=self._renew, method=_METHOD)
