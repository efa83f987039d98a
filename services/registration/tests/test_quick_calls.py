"""What goes past botocore's client says the same as what does not."""

from typing import Any

import pytest
from conftest import House

from chassis.quick_calls import QuickCalls
from registration.tables import RegistrationRow


def test_an_arrival_is_written_by_it_whole(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_the_ordinary_way(*_: Any, **__: Any) -> None:
        raise AssertionError("written the ordinary way")

    with monkeypatch.context() as patched:
        patched.setattr(RegistrationRow, "save", not_the_ordinary_way)
        quick = house.arrive("token-1", offer_type="free-trial")
    with monkeypatch.context() as patched:
        patched.setattr(QuickCalls, "ask", lambda *_: None)
        ordinary = house.arrive("token-2", offer_type="free-trial")

    (one, other) = (RegistrationRow.get(it["registration_id"]).serialize() for it in (quick, ordinary))
    own = ("registration_id", "secret_hash")
    assert [one[name] for name in one if name not in own] == [
        other[name] for name in other if name not in own
    ]
    assert one.keys() == other.keys()
