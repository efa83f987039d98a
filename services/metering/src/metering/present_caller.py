"""Who sent the present request, in the words of the rules."""

from chassis.web import caller
from metering.callers import Asker, asker


def present_asker() -> Asker:
    who = caller()
    return asker(who.name, who.scopes, who.subject, who.person)
