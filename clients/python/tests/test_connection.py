"""One request, and what must not become of it."""

from __future__ import annotations

import pytest
from conftest import KEY
from fake_metering import FakeMetering, say

from marketplane.connection import Connection


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_an_answer_that_leads_elsewhere_is_not_followed(metering: FakeMetering, status: int) -> None:
    """The key is for the address that the caller gave, and for no other."""
    elsewhere = FakeMetering()
    connection = Connection(metering.url, api_key=KEY)
    try:
        metering.otherwise = say(status, Location=elsewhere.url + "/v1/usage-events")
        assert connection.post(b"{}").status == status
        assert elsewhere.requests == []
    finally:
        connection.close()
        elsewhere.close()
