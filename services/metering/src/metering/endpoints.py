"""The API's door to endpoints: what runs for buyers."""

from typing import Any

import flask

from chassis.tables import decode_cursor, encode_cursor
from chassis.web import json_answer, parts
from metering.endpoint_desk import EndpointDesk
from metering.endpoint_wishes import Wish
from metering.present_caller import present_asker
from metering.problems import names_errors
from metering.schemas import EndpointSchema


def _desk() -> EndpointDesk:
    found: EndpointDesk = parts().endpoint_desk
    return found


@names_errors
def create_endpoint(body: dict[str, Any]) -> Any:
    endpoint = _desk().create(present_asker(), Wish(**body))
    address = {"Location": f"/v1/endpoints/{endpoint.endpoint_id}"}
    return json_answer(EndpointSchema().dump(endpoint), 201, address)


def list_endpoints(state: str | None = None, limit: int = 50, cursor: str | None = None) -> Any:
    found, last = _desk().page(present_asker(), state, limit, decode_cursor(cursor))
    return json_answer({"items": EndpointSchema(many=True).dump(found), "next_cursor": encode_cursor(last)})


@names_errors
def get_endpoint(endpoint_id: str) -> Any:
    return json_answer(EndpointSchema().dump(_desk().endpoint(present_asker(), endpoint_id)))


@names_errors
def change_endpoint(endpoint_id: str, body: dict[str, Any]) -> Any:
    return json_answer(EndpointSchema().dump(_desk().change(present_asker(), endpoint_id, body)))


@names_errors
def delete_endpoint(endpoint_id: str) -> flask.Response:
    _desk().delete(present_asker(), endpoint_id)
    return flask.Response(status=204)
