"""Writes docs/authorisation.md from the contracts: who may call what, and sees whose.

    python -m tools.authorisation_page            write the page
    python -m tools.authorisation_page --check    exit 1 if the page is not what would be written

An operation's `security`, `x-required-scopes` and `x-own-only`, and whether it promises a 404, say all of it.
tests/contract/test_authorisation.py asks the running services for each answer that stands on the page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tools.contract_diff import Documents, Node, operations

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "authorisation.md"
SERVICES = ("registration", "notifications", "metering")

KEY, TOKEN, SESSION = "apiKey", "bearer", "registrationSession"
SCOPED = frozenset({KEY, TOKEN})

HEAD = """# Who may call what

This page is made from the contracts (`openapi/`) by `python -m tools.authorisation_page`; change it there.
Each of its answers is asked of the running services by `tests/contract/test_authorisation.py`.

Whoever calls brings an API key of that service (`X-API-Key`) or a bearer token of the seller's OpenID
provider, with scopes. Any one of those that an operation names suffices, and a token does what a key of the
same scope does, but for the scope `buyer`: a buyer is a person, known by the issuer and the subject of their
token, and a key proves none. Who has a buyer's token is a buyer, whatever other scopes are in it, unless
`operator` is.

| answer | what it means |
|---|---|
| yes | It is done, whosever it is. |
| own | It is done to what is theirs; what is another's is answered as to a buyer who asks for another's. |
| 404 | It is answered as if it had never been, to the letter, and nothing is done. |
| nothing | It is answered as if there were nothing of it, to the letter: an empty list, no balance. |
| 401 | Without credentials that are good here. |
| 403 | The credentials lack the scope. |
"""


class Answer(StrEnum):
    """What an operation answers somebody. The page says each in a sentence."""

    YES = "yes"
    OWN = "own"
    NOT_FOUND = "404"
    NOTHING = "nothing"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"


@dataclass(frozen=True)
class Guard:
    """What a contract says of who may call an operation.

    Attributes:
        service: whose contract.
        method: in capitals.
        path: as the contract has it.
        security: the alternatives; of each the schemes that are needed together. None: it is public.
        scopes: of which a key or token needs any one.
        own_only: those of them that open nothing but one's own.
        promises_404: whether it can answer that something is not there.
    """

    service: str
    method: str
    path: str
    security: tuple[frozenset[str], ...]
    scopes: frozenset[str]
    own_only: frozenset[str]
    promises_404: bool

    def __str__(self) -> str:
        return f"{self.service}: {self.method} {self.path}"


@dataclass(frozen=True)
class Role:
    """Somebody who calls.

    Attributes:
        title: for people.
        brings: the schemes by which they prove who they are, all of them good.
        scopes: of their key or token.
        owns: whether what they ask for is theirs.
    """

    title: str
    brings: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    owns: bool = False


def role(title: str, *brings: str, scope: str = "", owns: bool = False) -> Role:
    return Role(title, frozenset(brings), frozenset({scope} - {""}), owns)


COLUMNS = (
    role("nobody"),
    role("`usage:write`", KEY, scope="usage:write", owns=True),
    role("`usage:read`", KEY, scope="usage:read", owns=True),
    role("`operator`", KEY, scope="operator"),
    role("a buyer, for their own", TOKEN, scope="buyer", owns=True),
    role("a buyer, for another's", TOKEN, scope="buyer"),
    role("who never registered, or a key with `buyer`", KEY, scope="buyer"),
)
OF_REGISTRATION = (
    role("a registration's session, for its own", SESSION, owns=True),
    role("a registration's session, for another's", SESSION),
    role("session and a buyer's token", SESSION, TOKEN, scope="buyer", owns=True),
)


def answer(guard: Guard, who: Role) -> Answer:
    """What an operation answers somebody, as its contract says."""
    if not guard.security:
        return Answer.YES
    brought = [needed for needed in guard.security if needed <= who.brings]
    if not brought:
        return Answer.UNAUTHORIZED
    fitting = who.scopes & guard.scopes
    opened = [needed for needed in brought if fitting or not guard.scopes or not needed & SCOPED]
    if not opened:
        return Answer.FORBIDDEN
    by_session = all(SESSION in needed for needed in opened)
    if not by_session and not (fitting and fitting <= guard.own_only):
        return Answer.YES
    if who.owns:
        return Answer.OWN
    return Answer.NOT_FOUND if guard.promises_404 else Answer.NOTHING


def guards(service: str) -> Iterator[Guard]:
    """Of all operations of a contract, in its order."""
    document = Documents().root(ROOT / "openapi" / f"{service}.yaml")
    for (method, _), (named, operation) in operations(document).items():
        yield _guard(service, method, str(named.plain("x-path")), operation)


def _guard(service: str, method: str, path: str, operation: Node) -> Guard:
    return Guard(
        service,
        method.upper(),
        path,
        tuple(frozenset(needed) for needed in operation.plain("security")),
        frozenset(operation.plain("x-required-scopes", ())),
        frozenset(operation.plain("x-own-only", ())),
        "404" in operation.items("responses"),
    )


def written() -> str:
    """The page as it should be."""
    return "\n".join([HEAD, *(_section(service) for service in SERVICES)])


def _section(service: str) -> str:
    columns = COLUMNS + (OF_REGISTRATION if service == "registration" else ())
    found = list(guards(service))
    lines = [
        f"## {service.capitalize()}",
        "",
        f"| operation | {' | '.join(column.title for column in columns)} |",
        "|---" * (len(columns) + 1) + "|",
        *(_row(f"`{one.method} {one.path}`", one, columns) for one in found if not _is_apart(one)),
    ]
    public = [f"`{one.method} {one.path}`" for one in found if not one.security]
    lines += ["", f"Public: {', '.join(public)}."]
    apart = [one for one in found if one.security and _is_apart(one)]
    for schemes in dict.fromkeys(one.security for one in apart):
        names = " or ".join(sorted({f"`{name}`" for needed in schemes for name in needed}))
        calls = ", ".join(f"`{one.method} {one.path}`" for one in apart if one.security == schemes)
        lines += ["", f"With {names} and nothing else: {calls}."]
    return "\n".join(lines) + "\n"


def _is_apart(guard: Guard) -> bool:
    """Whether neither key nor token nor session has anything to do with it."""
    return not any(needed & {*SCOPED, SESSION} for needed in guard.security)


def _row(name: str, guard: Guard, columns: tuple[Role, ...]) -> str:
    return f"| {name} | {' | '.join(answer(guard, column) for column in columns)} |"


def main(words: list[str]) -> int:
    page = written()
    if "--check" in words:
        if not PAGE.exists() or PAGE.read_text() != page:
            print("docs/authorisation.md is out of date: run `python -m tools.authorisation_page`.")
            return 1
        return 0
    PAGE.write_text(page)
    print(f"{PAGE.relative_to(ROOT)} is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
