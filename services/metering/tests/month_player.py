"""Plays a made-up month on metering's real code, with faults everywhere and two of everything.

    python month_player.py --seed 7 --hours 720 --subscriptions 60

prints what came of it as JSON. Each month is a process of its own: nothing is left of the one before, and
PYTHONHASHSEED=0 makes the order of sets the same again. `play_months.py` starts many.
"""

import argparse
import gc
import json
import logging
import os
import random
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError
from engine_in_process import EngineInProcess
from house import EVENT_SCHEMAS, Clients, House
from made_up_month import (
    HOUR,
    WORKER_AWAY,
    Act,
    Life,
    MadeUpMonth,
    Used,
    catalogue,
)
from month_defects import DEFECTS
from month_faults import Killed, MonthFaults
from month_judge import MonthJudge, WentWrong
from month_report import MonthReport
from pynamodb.exceptions import PynamoDBException
from shelf_marketplace import Buyer, boto3_client

from chassis.aws import client
from chassis.clock import FrozenClock
from chassis.problems import Unavailable
from chassis.tables import bind, create_tables
from metering import tables
from metering.cycle import MeteringCycle
from metering.group_commit import GroupCommit
from metering.intake import Intake
from metering.log_writer import LogWriter
from metering.record_desk import ChangedTooOften, RecordDesk
from metering.records import Decision, MeteringRecord
from metering.resolutions import OPEN_TO_DECISIONS, DecidedOtherwise
from metering.sender import ProductStopped, SenderStopped
from metering.settings import Settings
from metering.tables.models import EntitlementMap, SubscriptionRow

OPENAPI = Path(__file__).parents[3] / "openapi"
OUTAGES = (BotoCoreError, ClientError, PynamoDBException, Unavailable, ChangedTooOften)
EXPECTED = (*OUTAGES, ProductStopped, SenderStopped)
"""What a cycle may fail with while something is broken."""


class MonthPlayer:
    """One month.

    Args:
        seed, hours, subscriptions: of the story.
        settings: of metering.
    """

    def __init__(self, seed: int, hours: int, subscriptions: int, folder: Path) -> None:
        self.story = MadeUpMonth(seed, hours, subscriptions)
        self._random = random.Random(f"{seed} player")
        self.clock = FrozenClock(self.story.begins)
        products = folder / "products.yaml"
        products.write_text(catalogue(self.story.cut_over))
        self._shards = self._random.choice([1, 1, 1, 2])
        settings = Settings(
            environment="test",
            contracts_dir=OPENAPI,
            products_file=products,
            aws_attempts=1,
            log_shards=self._shards,
        )
        self.engine = EngineInProcess()
        self.engine.stand_behind_boto3()
        connection = bind([*tables.OWN, *tables.READ], settings, self.engine)  # type: ignore[arg-type]
        create_tables([*tables.OWN, *tables.READ])
        clients = Clients(connection, client(settings, "dynamodb"), boto3_client())
        self.house = House(settings, self.clock, clients)
        self.house.aws.identical_is_duplicate = self._random.random() < 0.15
        self.faults = MonthFaults(seed, self.story, self.engine, self.house.aws, self.clock)
        self.engine.through = self.faults.on_dynamodb
        self.house.aws.through = self.faults.on_aws
        self.faults.interrupt = self._interrupt
        self.report = MonthReport(seed=seed, hours=hours, subscriptions=subscriptions)
        self.judge = MonthJudge(self.story, self.house, self.report)
        self.workers = [self.house.new_cycle() for _ in range(3)]
        self.webs = [self._new_web(self._shards), self._new_web(1)]
        self._acts = iter(self.story.acts)
        self._depth = 0
        self._in_hand: list[Used] = []
        self._backlog: list[list[Used]] = []
        self._troubled = 0

    def _new_web(self, shards: int) -> Intake:
        """A web process."""
        house, settings = self.house, self.house.settings
        writer = LogWriter(house.dynamodb, self.clock, shards)
        return Intake(
            EVENT_SCHEMAS,
            writer.append,
            GroupCommit([writer.append], 0, 10_000),
            house.published,
            house.catalogue,
            settings.age_limits,
            self.clock,
        )

    # The course of the month -------------------------------------------------------------------------------

    def play(self) -> MonthReport:
        try:
            self._play_until(None)
            self._let_it_become_quiet()
            self.judge.final()
        except WentWrong as wrong:
            self.report.problems.append(str(wrong))
        self.report.at = f"{self.clock.now():%Y-%m-%dT%H:%M}"
        self.report.faults = dict(self.faults.injected)
        self.report.calls = self.engine.calls
        return self.report

    def _play_until(self, end: datetime | None) -> None:
        """The story, up to a moment; all of it where none is given. Whoever plays it in the midst of a call
        takes the acts from those that wait outside."""
        for act in self._acts:
            if act.at > self.clock.now():
                self.clock.advance(seconds=(act.at - self.clock.now()).total_seconds())
            self._do(act)
            if end and act.at >= end:
                return

    def _do(self, act: Act) -> None:
        do: Callable[[Any], None] = getattr(self, f"_{act.what}")
        do(act.of)

    def _let_it_become_quiet(self) -> None:
        """The clock runs far beyond everything that can still happen by itself; nothing goes wrong any
        more."""
        self.faults.off = True
        self.house.aws.poison.clear()
        self._depth = 1
        for step in range(36):
            self.clock.advance(hours=1 if step % 12 < 4 else 2)
            self._send_backlog()
            self._run(self.workers[step % 3], may_fail=False)
            if step == 28:
                self._decide(None, everything=self._random.random() < 0.7)

    # Around metering ---------------------------------------------------------------------------------------

    def _sell(self, life: Life) -> None:
        """The buyer subscribes at AWS."""
        self.house.identities[life.subscription_id] = life.identity
        if life.status == "active":
            account = None if life.legacy else life.account
            self.house.aws.buyers[life.identity] = Buyer(life.product_code, life.since, account=account)

    def _cancel(self, life: Life) -> None:
        self.house.aws.buyers[life.identity].until = life.until

    def _sell_again(self, life: Life) -> None:
        assert life.again_at
        self.house.aws.buyers[life.identity] = Buyer(life.product_code, life.again_at)

    def _refuse(self, what: tuple[list[Life], str]) -> None:
        lives, code = what
        for life in lives:
            self.house.aws.poison[life.identity] = code
            self.judge.refused_by_aws.add(life.subscription_id)
        self.faults.injected[f"AWS: {code}"] += 1

    def _cure(self, lives: list[Life]) -> None:
        for life in lives:
            self.house.aws.poison.pop(life.identity, None)

    def _publish(self, life: Life) -> None:
        """Notifications writes what it knows by now."""
        now = self.clock.now()
        again = life.again_at is not None and now >= life.again_at
        told_of_end = life.announced_at is not None and now >= life.announced_at and not again
        status = life.status
        if now < life.since:
            status = "pending"
        elif told_of_end and life.until:
            status = "ended" if now >= life.until else "ending"
        has_account = not life.account_told_at or now >= life.account_told_at
        told = [one for one in life.terms if one.told_at <= now]
        entitlements: list[Any] | None = None
        if told:
            last = told[-1]
            entitlements = [
                EntitlementMap(dimension="plan", type=last.kind, value=last.value, expires_at=last.expires_at)  # type: ignore[no-untyped-call]
            ]
        if status == "ended":
            entitlements = entitlements and []
        account = life.account if has_account and (not life.legacy or life.partner) else None
        SubscriptionRow(
            life.subscription_id,
            product_code=life.product_code,
            generation="legacy" if life.legacy else "concurrent_agreements",
            status=status,
            access="granted" if status == "active" else "denied",
            active_since=(life.again_at if again else life.since)
            if status not in ("pending", "failed")
            else None,
            customer_identifier=life.identity if life.legacy else None,
            license_arn=None if life.legacy else life.identity,
            customer_aws_account_id=account,
            meter_until=life.until if told_of_end else None,
            entitlements=entitlements,
        ).save()

    def _register(self, what: tuple[str, list[Life]]) -> None:
        customer, lives = what
        self.house.register(*[life.subscription_id for life in lives], customer_id=customer)

    # What the product does ---------------------------------------------------------------------------------

    def _report(self, batch: list[Used]) -> None:
        self._send_backlog()
        self._send(batch)

    def _send_backlog(self) -> None:
        waiting, self._backlog = self._backlog, []
        for batch in waiting:
            self._send(batch)

    def _send(self, batch: list[Used]) -> None:
        """What a reporter does: whatever was not acknowledged it sends again, to whichever process there
        is."""
        batch = [used for used in batch if not used.only_after or used.only_after.key in self.judge.accepted]
        if not batch:
            return
        before, self._in_hand = self._in_hand, batch
        try:
            for _ in range(200):
                if self._taken(batch):
                    return
                if self.faults.dynamodb_is_unwell:
                    self._backlog.append(batch)
                    return
            raise WentWrong("A batch of usage was never taken.")
        finally:
            self._in_hand = before

    def _taken(self, batch: list[Used]) -> bool:
        place = self._random.randrange(len(self.webs))
        # Who reports in the midst of a call of one process does so to another.
        web = self._new_web([self._shards, 1][place]) if self._depth else self.webs[place]
        rows = [used.row for used in batch]
        form = web.plain
        if self._random.random() < 0.3:
            form, rows = web.cloud_event, [self.house.cloud_event(row) for row in rows]
        began = self.clock.now()
        self.report.sent += len(batch)
        try:
            taken, refused = web.take(rows, form)
        except Killed:
            self.webs[place] = self._new_web([self._shards, 1][place])
            return False
        except OUTAGES:
            return False
        if taken + len(refused) != len(batch):
            raise WentWrong(f"Of {len(batch)} events {taken} were taken and {len(refused)} refused.")
        reasons = {refusal.index: refusal.reason for refusal in refused}
        for index, used in enumerate(batch):
            if index not in reasons:
                self.judge.take_note(used, self.clock.now())
            elif reasons[index] == "too_old" and used.time < began - 24 * HOUR:
                self.judge.never_acknowledged(used)
            elif reasons[index] not in used.may_be_refused:
                raise WentWrong(f"{used.row} was refused: {reasons[index]}.")
        return True

    # What metering does ------------------------------------------------------------------------------------

    def _cycle(self, place: int) -> None:
        if not self.story.trouble(WORKER_AWAY, self.clock.now()):
            self._run(self.workers[place])

    def _run(self, worker: MeteringCycle, act: str = "run", may_fail: bool = True) -> None:
        """One worker's cycle, or a part of it."""
        self.report.cycles += 1
        faults = self.faults.injected.total()
        failures: list[Any] = []
        try:
            done = getattr(worker, act)()
            failures = list(done.values()) if isinstance(done, dict) else done if act != "run" else []
        except Killed:
            if worker in self.workers:
                self.workers[self.workers.index(worker)] = self.house.new_cycle()
            return
        except ExceptionGroup as group:
            failures = list(group.exceptions)
        except OUTAGES as error:  # of a part of it
            failures = [error]
        broken = faults != self.faults.injected.total() or self.house.aws.poison
        for failure in failures:
            if not isinstance(failure, EXPECTED) or not (may_fail and broken):
                raise WentWrong(f"A cycle failed although nothing was broken: {failure!r}")

    def _interrupt(self, request: dict[str, Any]) -> None:
        """Another process gets its turn in the midst of a call of this one."""
        if self._depth:
            return
        self._depth = 1
        draw = self._random
        try:
            match draw.choice(
                ["cycle", "cycle", "fold", "plan", "late", "late", "overtaken", "same", "hours"]
            ):
                case "cycle":
                    what = "another worker's cycle"
                    self._run(draw.choice([self.house.new_cycle(), *self.workers]))
                case "fold":
                    what = "another sealer"
                    self._run(self.house.new_cycle(), "fold_open_hours")
                case "plan":
                    what = "another planner"
                    self._run(draw.choice(self.workers), "plan_unbilled")
                case "late":
                    what = "a late writer"
                    self._late_writer(self.story.lives)
                case "overtaken":
                    what = "late usage of the same buyer, and its fold"
                    self._late_usage_of(repr(request))
                    self._run(self.house.new_cycle(), draw.choice(["fold_open_hours", "run"]))
                case "same" if self._in_hand:
                    what = "the same batch by two writers"
                    self._send(self._in_hand)
                case _:
                    what = "it stands still for hours"
                    if any(self.clock.now() - used.time > 9 * HOUR for used in self._in_hand):
                        return
                    self._play_until(
                        self.clock.now() + draw.choice([1, 1, 2, 5] + [26] * (not self._in_hand)) * HOUR
                    )
            self.report.meanwhile[what] = self.report.meanwhile.get(what, 0) + 1
        finally:
            self._depth = 0

    def _late_usage_of(self, request: str) -> None:
        """Usage of whoever a request names, and of the hour that it names, if that can still come."""
        now = self.clock.now()
        named = re.findall(r"#(\d{4}-\d\d-\d\dT\d\d)", request)
        hour = datetime.strptime(named[-1], "%Y-%m-%dT%H").replace(tzinfo=UTC) if named else None
        if hour and not HOUR <= now - hour <= 20 * HOUR:
            hour = None
        self._late_writer([one for one in self.story.lives if one.subscription_id in request], hour)
        self._send(self.story.use_by_customers(now, self._random, request, hour))

    def _late_writer(self, lives: list[Life], hour: datetime | None = None) -> None:
        now, draw = self.clock.now(), self._random
        users = [
            life
            for life in lives
            if life.uses_from <= now - HOUR and not (life.until and now > life.until) and not life.customer
        ]
        if users:
            self._send([self.story.use(draw.choice(users), now, draw, hour) for _ in range(3)])

    # What people do ----------------------------------------------------------------------------------------

    def _decide(self, _: None, everything: bool = False) -> None:
        """A person looks at what AWS itself says, and decides some of what is held, truthfully."""
        desk = RecordDesk(self.house.record_store, self.house.usage_log)
        for life in self.story.lives:
            read = partial(self.house.record_store.records, life.subscription_id)
            for record in self._again_until_told(read):
                if (
                    record.outcome in OPEN_TO_DECISIONS
                    and record.resolution is None
                    and (everything or self._random.random() < 0.4)
                    and self.clock.now() > record.timestamp + 25 * HOUR
                ):
                    self._decide_about(record, desk)

    def _decide_about(self, record: MeteringRecord, desk: RecordDesk) -> None:
        if self.judge.aws_has(record):
            decision = Decision.BILLED
        else:
            decision = self._random.choice([Decision.BILL_AGAIN, Decision.BILL_AGAIN, Decision.WRITE_OFF])
        try:
            self._again_until_told(
                lambda: desk.resolve(
                    record.metering_record_id, decision, "as AWS says", "ada", self.clock.now()
                )
            )
        except DecidedOtherwise:
            return  # The list in this person's hand was hours old; somebody else has decided meanwhile.
        self.report.decisions[decision.value] = self.report.decisions.get(decision.value, 0) + 1
        if decision is Decision.WRITE_OFF:
            self.judge.written_off_by_hand(record)

    def _again_until_told(self, ask: Callable[[], Any]) -> Any:
        for _ in range(200):
            try:
                return ask()
            except Killed:
                continue
            except OUTAGES:
                if self.faults.dynamodb_is_unwell:
                    self.faults.off = True  # the person comes back when it is over
                    try:
                        return ask()
                    finally:
                        self.faults.off = False
        raise WentWrong("A person never got an answer.")

    def _look(self, _: None) -> None:
        """The auditor and the statements, in mid-month."""
        before, self.faults.off = self.faults.off, True
        try:
            self.judge.look()
        finally:
            self.faults.off = before


def main() -> None:
    parser = argparse.ArgumentParser(description="Plays a made-up month and prints what came of it.")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--hours", type=int, default=720)
    parser.add_argument("--subscriptions", type=int, default=60)
    parser.add_argument("--story", action="store_true", help="print the story too")
    parser.add_argument("--defect", choices=DEFECTS, help="put a defect into metering first")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"PYTHONHASHSEED": "0"})
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "210000000000",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    if options.defect:
        DEFECTS[options.defect]()
    gc.set_threshold(100_000, 50, 50)
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with TemporaryDirectory() as folder:
        player = MonthPlayer(options.seed, options.hours, options.subscriptions, Path(folder))
        if options.story:
            print(player.story.told(), file=sys.stderr)
        report = player.play()
    report.cpu_seconds = time.process_time()
    print(json.dumps(report.as_json()))


if __name__ == "__main__":
    main()
