"""Which backups are kept, over random schedules. FRIREN_TEST_SCHEDULES=10000 tries that many."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from friren.operations.backup.retention import Candidate, Plan, Policy, chain_of, plan_retention
from tests.backups import SCHEDULES

NOW = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
POLICY = Policy(days={"DAILY": 30, "WEEKLY": 182, "JSON_EXPORT": 90}, minimum=3)
KINDS = ["DAILY", "DAILY", "DAILY", "WEEKLY", "MANUAL", "PRE_PHASE", "JSON_EXPORT"]


@st.composite
def schedules(draw) -> list[Candidate]:
    """Backups of a year and more, some from a clock that ran ahead, some unsound, some verified."""
    count = draw(st.integers(0, 40))
    hours = st.one_of(st.integers(-48, 24 * 400), st.sampled_from([24 * 30, 24 * 90, 24 * 182]))
    return [
        Candidate(
            id=f"{number:02d}",
            kind=draw(st.sampled_from(KINDS)),
            at=NOW - dt.timedelta(hours=draw(hours)),
            sound=draw(st.integers(0, 9)) > 0,
            verified=draw(st.booleans()),
        )
        for number in range(count)
    ]


policies = st.builds(
    Policy,
    days=st.fixed_dictionaries({kind: st.integers(1, 400) for kind in ("DAILY", "WEEKLY", "JSON_EXPORT")}),
    minimum=st.integers(1, 8),
)
random_schedules = settings(max_examples=SCHEDULES)


def dumps(found: list[Candidate]) -> list[Candidate]:
    return [one for one in found if one.sound and one.kind != "JSON_EXPORT"]


def week(one: Candidate) -> tuple[int, int]:
    return one.at.isocalendar()[:2]


def survivors(found: list[Candidate], plan: Plan) -> list[Candidate]:
    return [one for one in found if one.id in plan.keep]


@random_schedules
@given(schedules(), policies)
def test_the_rules_hold_for_every_schedule(found, policy) -> None:
    plan = plan_retention(found, now=NOW, policy=policy)
    kept = survivors(found, plan)

    assert sorted([*plan.keep, *plan.remove]) == sorted(one.id for one in found)
    # Never below the minimum.
    assert len(dumps(kept)) >= min(policy.minimum, len(dumps(found)))
    # The newest are the last to go.
    newest = sorted(dumps(found), key=lambda one: (one.at, one.id))[-policy.minimum :]
    assert {one.id for one in newest} <= set(plan.keep)
    # What was proven last stays.
    proven = [one for one in dumps(found) if one.verified]
    assert not proven or max(proven, key=lambda one: (one.at, one.id)).id in plan.keep
    for one in found:
        age, days = NOW - one.at, policy.days.get(one.kind)
        if days is None or age <= days * DAY:
            assert one.id in plan.keep
    # Every week that had a backup of days or weeks still has one, for as long as weekly ones are kept.
    had = {week(one) for one in dumps(found) if one.kind in {"DAILY", "WEEKLY"}
           and NOW - one.at <= policy.days["WEEKLY"] * DAY}  # fmt: skip
    assert had <= {week(one) for one in dumps(kept)}


@random_schedules
@given(schedules(), policies)
def test_nothing_is_kept_without_need(found, policy) -> None:
    plan = plan_retention(found, now=NOW, policy=policy)
    newest = sorted(dumps(found), key=lambda one: (one.at, one.id))[-policy.minimum :]
    proven = sorted((one for one in dumps(found) if one.verified), key=lambda one: (one.at, one.id))[-1:]
    for one in survivors(found, plan):
        days = policy.days.get(one.kind)
        father = one.kind == "DAILY" and one.sound and NOW - one.at <= policy.days["WEEKLY"] * DAY and not any(
            week(other) == week(one)
            and (other.kind == "WEEKLY" or (other.kind == "DAILY" and (other.at, other.id) < (one.at, one.id)))
            for other in dumps(found)
        )  # fmt: skip
        assert days is None or NOW - one.at <= days * DAY or father or one in newest or one in proven


@random_schedules
@given(schedules(), policies, st.integers(0, 200))
def test_removing_twice_removes_no_more(found, policy, later) -> None:
    once = survivors(found, plan_retention(found, now=NOW, policy=policy))

    assert plan_retention(once, now=NOW, policy=policy).remove == []
    # What is decided early is not regretted later: of a week's backups the same one is its father.
    then = NOW + later * DAY
    directly = plan_retention(found, now=then, policy=policy)
    assert set(plan_retention(once, now=then, policy=policy).keep) >= set(directly.keep) & {one.id for one in once}


@pytest.mark.parametrize(
    ("kind", "days", "kept"),
    [("DAILY", 30, True), ("DAILY", 31, False), ("WEEKLY", 182, True), ("WEEKLY", 183, False),
     ("JSON_EXPORT", 90, True), ("JSON_EXPORT", 91, False), ("MANUAL", 4000, True), ("PRE_PHASE", 4000, True)],
)  # fmt: skip
def test_the_days_of_each_kind(kind, days, kept) -> None:
    old = Candidate("old", kind, NOW - days * DAY)
    newest = [Candidate(f"newest-{n}", "MANUAL", NOW) for n in range(3)]
    # With a father of its own, so that only its own days keep it.
    week = [] if kind == "WEEKLY" else [Candidate("the week's", "WEEKLY", old.at)]

    assert ("old" in plan_retention([old, *newest, *week], now=NOW, policy=POLICY).keep) is kept


def test_a_year_of_days_leaves_a_month_of_days_and_half_a_year_of_weeks() -> None:
    """Pruned every day, as a timer does it."""
    kept: list[Candidate] = []
    for number in range(365):
        at = NOW - (364 - number) * DAY
        kept = survivors([*kept, one := Candidate(f"{number}", "DAILY", at)],
                         plan_retention([*kept, one], now=at, policy=POLICY))  # fmt: skip

    ages = [(NOW - one.at).days for one in kept]
    assert [age for age in ages if age <= 30] == list(range(30, -1, -1))
    mondays = [age for age in range(182, 30, -1) if (NOW - age * DAY).weekday() == 0]
    assert [age for age in ages if age > 30] == mondays


def test_one_that_was_refuted_counts_for_nothing() -> None:
    sound = [Candidate(f"sound-{n}", "WEEKLY", NOW - (300 + n) * DAY) for n in range(3)]
    refuted = [Candidate(f"refuted-{n}", "DAILY", NOW - (200 + n) * DAY, sound=False) for n in range(3)]

    plan = plan_retention([*sound, *refuted], now=NOW, policy=POLICY)

    assert set(plan.keep) == {one.id for one in sound}


@st.composite
def chains(draw) -> list[Candidate]:
    """Backups of the whole server: bases and what builds on them, some unsound, verified, or without a parent."""
    hours = sorted(draw(st.lists(st.integers(0, 24 * 60), max_size=25, unique=True)), reverse=True)
    made: list[Candidate] = []
    for number, age in enumerate(hours):
        incremental = bool(made) and draw(st.integers(0, 2)) > 0
        # On the one before it as a rule, on any other, or on one that somebody removed.
        parents = [made[-1].id, draw(st.sampled_from(made)).id, "gone"] if incremental else [""]
        made.append(
            Candidate(
                id=f"{number:02d}",
                kind="INCREMENTAL" if incremental else "BASE",
                at=NOW - dt.timedelta(hours=age),
                sound=draw(st.integers(0, 9)) > 0,
                verified=draw(st.booleans()),
                parent=draw(st.sampled_from(parents)) if draw(st.integers(0, 4)) == 0 else parents[0],
            )
        )
    return made


windows = st.builds(Policy, window_days=st.integers(1, 40), bases=st.integers(1, 4))


@random_schedules
@given(chains(), windows)
def test_a_chain_is_never_broken_and_every_moment_of_the_window_is_reached(found, policy) -> None:
    plan = plan_retention(found, now=NOW, policy=policy)
    kept, reach = survivors(found, plan), NOW - policy.window_days * DAY
    usable = [one for one in found if chain_of(one, found)]

    assert sorted([*plan.keep, *plan.remove]) == sorted(one.id for one in found)
    for one in kept:
        whole = chain_of(one, found)
        assert whole is None or {link.id for link in whole} <= set(plan.keep)
    # Whatever could be reached in the window still can: from the same backup as before.
    for moment in [reach, *(one.at for one in found if one.at >= reach), NOW]:
        assert [one.id for one in usable if one.at <= moment][-1:] == [
            one.id for one in kept if chain_of(one, kept) and one.at <= moment
        ][-1:]
    bases = [one.id for one in usable if one.kind == "BASE"]
    assert set(bases[-policy.bases :]) <= set(plan.keep)
    # Killed anywhere in removing them, in this order, nothing is left without what it builds on.
    left = list(found)
    for name in plan.remove:
        left = [one for one in left if one.id != name]
        assert all(chain_of(one, left) for one in usable if one in left)


@random_schedules
@given(chains(), windows)
def test_no_base_is_kept_without_need(found, policy) -> None:
    plan = plan_retention(found, now=NOW, policy=policy)
    reach = NOW - policy.window_days * DAY
    usable = [one for one in found if chain_of(one, found)]
    wanted = {one.id for one in found if one.at >= reach}
    wanted |= {one.id for one in [one for one in usable if one.at <= reach][-1:]}
    wanted |= {one.id for one in [one for one in usable if one.verified][-1:]}
    wanted |= {one.id for one in [one for one in usable if one.kind == "BASE"][-policy.bases :]}
    wanted |= {link.id for one in usable if one.id in wanted for link in chain_of(one, found)}

    assert set(plan.keep) == wanted
    assert plan_retention(survivors(found, plan), now=NOW, policy=policy).remove == []


@random_schedules
@given(schedules(), chains())
def test_dumps_and_bases_count_for_each_other_nothing(dumps_alone, bases_alone) -> None:
    renamed = [Candidate(f"d{one.id}", one.kind, one.at, one.sound, one.verified) for one in dumps_alone]

    together = plan_retention([*renamed, *bases_alone], now=NOW, policy=POLICY)
    apart = [plan_retention(some, now=NOW, policy=POLICY).keep for some in (renamed, bases_alone)]

    assert together.keep == {**apart[0], **apart[1]}
