"""The contract is the router: from an operationId to its function by one search, from a function to its
operation too, and no way in beside the contract."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, SERVICES, calls, modules, parsed, source
from tests.contract.contracts import SCOPES, Operation, operations

OPERATIONS = list(operations())
OWN = [operation for operation in OPERATIONS if not operation.id.startswith("chassis.")]

# Who may call without credentials. Another one is a decision, and this list is where it is seen.
PUBLIC = {
    "chassis.health.healthz": "for the scheduler",
    "chassis.health.readyz": "for the load balancer",
    "chassis.health.metrics": "for monitoring, inside the network",
    "landing.receive_buyer": "AWS's form post: the registration token is the proof",
    "landing.show_page": "a page that says where to start; with a session cookie it says more",
    "create_registration": "the registration token is the proof",
    "doors.receive_sns": "SNS has no credentials of ours: the message's signature is the proof",
}
# Guards that are no key: the operation itself checks that the session is the one it acts on; EventBridge has
# a secret of its own.
BY_SESSION = {
    "landing.submit_customer",
    "landing.start_sign_in",
    "landing.finish_sign_in",
    "landing.sign_out",
    "doors.receive_event",
}
# Two proofs at once: of the purchase, and of the person.
BY_SESSION_AND_TOKEN = {"connect_customer"}


def function_of(operation: Operation) -> tuple[Path, str]:
    """The file and the function that an operationId names."""
    module, _, function = operation.id.rpartition(".")
    if module.startswith("chassis."):
        return ROOT / "libs/chassis/src" / Path(*module.split(".")).with_suffix(".py"), function
    return source(operation.service) / f"{module or 'api'}.py", function


def public_functions(path: Path) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    return {
        node.name: node
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_an_operation_is_a_function_of_that_name(operation: Operation) -> None:
    path, function = function_of(operation)
    assert function in public_functions(path), f"{path.relative_to(ROOT)} has no {function}"


@pytest.mark.parametrize("operation", OWN, ids=str)
def test_a_function_takes_the_operation_s_parameters(operation: Operation) -> None:
    path, name = function_of(operation)
    function = public_functions(path)[name]
    arguments = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
    offered = {one["name"] for one in operation.parameters if one["in"] in ("path", "query")}
    if "requestBody" in operation.definition:
        offered.add("body")
    if isinstance(function, ast.AsyncFunctionDef):  # see chassis/async_operations.py
        offered.add("content_type")
    assert set(arguments) <= offered
    # What takes the rest as keywords hands it on by name: an unknown one would be a TypeError, and 500.
    if path.name == "api.py" and function.args.kwarg is None:
        assert set(arguments) == offered, "a parameter of the contract that nobody looks at"


@pytest.mark.parametrize("service", SERVICES)
def test_each_function_of_the_door_is_an_operation(service: str) -> None:
    for name in ("api.py", "landing.py"):
        path = source(service) / name
        if path.exists():
            promised = {
                operation.id.rpartition(".")[2]
                for operation in operations(service)
                if function_of(operation)[0] == path
            }
            assert set(public_functions(path)) == promised, (
                f"{path.relative_to(ROOT)}: what is no operation is private"
            )


@pytest.mark.parametrize("service", SERVICES)
def test_there_is_no_way_in_beside_the_contract(service: str) -> None:
    """A route that is added by hand would have no guard and no contract."""
    ways = {
        "route",
        "add_url_rule",
        "register_blueprint",
        "mount",
        "add_route",
        "add_websocket_route",
        "add_api",
    }
    found = [
        f"{path.relative_to(ROOT)} line {call.lineno}: .{call.func.attr}()"
        for path in modules(service)
        for call in calls(parsed(path))
        if isinstance(call.func, ast.Attribute) and call.func.attr in ways
    ]
    assert found == []


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_an_operation_is_guarded_unless_it_is_on_the_list(operation: Operation) -> None:
    assert "security" in operation.definition, "every operation says who may call it"
    assert operation.is_public == (operation.id in PUBLIC)
    assert {} not in operation.security, "an empty requirement lets everybody in"
    if operation.is_public or operation.id in BY_SESSION:
        return
    assert operation.scopes, "a key of any scope would do"
    assert set(operation.scopes) <= set(SCOPES)
    if operation.id in BY_SESSION_AND_TOKEN:
        assert operation.security == [{"registrationSession": [], "bearer": []}], "both, or one would do"
    else:
        assert {"apiKey": []} in operation.security
        assert {"bearer": []} in operation.security


def test_the_list_of_public_operations_has_no_leftovers() -> None:
    assert set(PUBLIC) | BY_SESSION | BY_SESSION_AND_TOKEN <= {operation.id for operation in OPERATIONS}
