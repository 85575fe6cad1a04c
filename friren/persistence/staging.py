"""
Finding the bad rows of a batch by asking about the whole set, never by trying halves.

The batch lies in a temporary table without rules. The rules of the real table become questions;
what they name is taken out with its reason, and the rest is inserted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import DatabaseError, connections, transaction

from friren.errors import KeyReusedError, PeriodClosedError, RejectedRecordError
from friren.persistence.archived import sources
from friren.persistence.copy import copy_lines, is_refusal, key_reused, refusal_of
from friren.persistence.facts import Fact, FactSpec
from friren.persistence.handlers import MissingRowError, Verdict
from friren.persistence.layouts import layout_of, lines_of, natural_keys
from friren.persistence.receipts import WriteOutcome
from friren.persistence.tables import ForeignKey, Table, UniqueKey

__all__ = ["store_through_staging"]

# Another process may store one of the rows between question and insert; then the questions are asked again.
ATTEMPTS_MAX: Final = 3


def store_through_staging(
    spec: FactSpec, table: Table, facts: Sequence[Fact], using: str, producer: UUID | None
) -> list[Verdict] | None:
    """
    Store what can be stored of a batch that the table refuses as a whole, none of whose ids was stored just now.

    Returns:
        A verdict per fact; None when the set cannot be judged as a whole.

    Raises:
        DatabaseError: the database is in trouble.
    """
    unfit: dict[int, Verdict] = {}
    for attempt in range(ATTEMPTS_MAX):
        left = [place for place in range(len(facts)) if place not in unfit]
        try:
            with transaction.atomic(using=using):
                judged = _Stage(spec, table, [facts[place] for place in left], using).store(producer, again=attempt > 0)
        except DatabaseError as exc:
            if not is_refusal(exc):
                raise
            # A value that has no form keeps the whole set from being sent.
            refusals = {place: refusal_of(spec, fact) for place, fact in enumerate(facts)}
            unfit = {place: refusal for place, refusal in refusals.items() if refusal is not None}
            continue
        verdicts = unfit | dict(zip(left, judged, strict=True))
        return [verdicts[place] for place in range(len(facts))]
    return None


class _Stage:
    """One batch in its temporary table."""

    def __init__(self, spec: FactSpec, table: Table, facts: Sequence[Fact], using: str) -> None:
        self._spec, self._table, self._facts, self._using = spec, table, facts, using
        self._name = f"friren_stage_{uuid4().hex}"
        self._verdicts: dict[int, Verdict] = {}

    def store(self, producer: UUID | None, *, again: bool) -> list[Verdict]:
        layout = layout_of(self._spec.kind)
        listed = ", ".join(f'"{column}"' for column in layout.columns)
        self._ask(
            f'CREATE TEMPORARY TABLE "{self._name}" ON COMMIT DROP AS '
            f'SELECT 0 AS ordinal, {listed} FROM "{layout.table}" WITH NO DATA'
        )
        naturals = natural_keys(self._spec, self._facts, using=self._using)
        lines = enumerate(lines_of(self._facts, layout, naturals, producer=producer))
        copy_lines(
            self._name, ("ordinal", *layout.columns), (f"{number}\t{line}" for number, line in lines), using=self._using
        )
        # How many rows there are is all that the questions want to be planned by.
        self._ask(f'ANALYZE "{self._name}" (ordinal)')
        if again:
            self._stored_by_now()
        self._judge()
        self._ask(f'INSERT INTO "{layout.table}" ({listed}) SELECT {listed} FROM "{self._name}" ORDER BY ordinal')
        self._ask(f'DROP TABLE "{self._name}"')
        return [self._verdicts.get(number, WriteOutcome.STORED) for number in range(len(self._facts))]

    def _judge(self) -> None:
        self._against_rules()
        for key in self._table.unique_keys:
            self._taken(key)
        self._closed()
        while self._orphans():
            pass  # who refers to a row that was taken out is an orphan now
        for key in self._table.unique_keys:
            self._repeated(key)

    def _stored_by_now(self) -> None:
        found = self._ask(
            f'SELECT s.ordinal, t.digest = s.digest FROM "{self._name}" s JOIN "{self._table.name}" t ON t.id = s.id'
        )
        self._take_out(
            (number, WriteOutcome.DUPLICATE if same else key_reused(self._spec, self._facts[number]))
            for number, same in found
        )

    def _against_rules(self) -> None:
        """Take out what lacks a value or breaks a CHECK: one look at each row, which the first broken rule ends."""
        broken = [(f'"{column}" IS NULL', self._field_of(column), "is required") for column in self._table.required]
        broken += [(f"NOT ({rule.expression})", rule.field, rule.words) for rule in self._table.rules]
        cases = " ".join(f"WHEN {condition} THEN {place}" for place, (condition, _field, _words) in enumerate(broken))
        found = self._ask(
            f'SELECT ordinal, place FROM (SELECT ordinal, CASE {cases} END AS place FROM "{self._name}") AS q '
            f"WHERE place IS NOT NULL"
        )
        self._take_out((number, self._breach(number, *broken[place][1:])) for number, place in found)

    def _breach(self, number: int, field: str, words: str) -> RejectedRecordError:
        return RejectedRecordError(field, self._facts[number].values.get(field), words)

    def _closed(self) -> None:
        column = self._table.period_column
        if not column:
            return
        found = self._ask(
            f'SELECT s.ordinal, a.closed_until FROM "{self._name}" s JOIN core_account a ON a.id = s.account_id '
            f'WHERE s."{column}" < a.closed_until'
        )
        for number, at in found:
            value = self._facts[number].values.get(column)
            self._take_out([(number, PeriodClosedError(column, value, f"the books are closed before {at}"))])

    def _taken(self, key: UniqueKey) -> None:
        """Take out what a stored row has the key of, which each row looks up in the index: the table may be large."""
        equal = "IS NOT DISTINCT FROM" if key.nulls_equal else "="
        same = " AND ".join(f't."{column}" {equal} s."{column}"' for column in key.columns)
        # The keys of other systems are told again for good; others are those of what is worked with.
        places = sources(self._table.name, self._using) if _is_external(key) else [f'"{self._table.name}"']
        for place in places:
            found = self._ask(
                f'SELECT s.ordinal, t.digest = s.digest FROM (SELECT * FROM "{self._name}" WHERE {self._keyed(key)}) s '
                f"CROSS JOIN LATERAL (SELECT t.digest FROM (SELECT * FROM {place} WHERE {key.condition}) t "
                f"WHERE {same} LIMIT 1) t"
            )
            self._take_out((number, self._second(key, number, same=same)) for number, same in found)

    def _repeated(self, key: UniqueKey) -> None:
        """Take out what an earlier row of the batch has the key of."""
        listed = ", ".join(f'"{column}"' for column in key.columns)
        found = self._ask(
            f"SELECT ordinal, digest = first FROM (SELECT ordinal, digest, row_number() OVER w AS place, "
            f'first_value(digest) OVER w AS first FROM "{self._name}" WHERE {self._keyed(key)} '
            f"WINDOW w AS (PARTITION BY {listed} ORDER BY ordinal)) AS q WHERE place > 1"
        )
        self._take_out((number, self._second(key, number, same=same)) for number, same in found)

    @staticmethod
    def _keyed(key: UniqueKey) -> str:
        """Return the condition on which a row has the key."""
        given = [] if key.nulls_equal else [f'"{column}" IS NOT NULL' for column in key.columns]
        return " AND ".join([f"({key.condition})", *given])

    def _second(self, key: UniqueKey, number: int, *, same: bool) -> Verdict:
        fact = self._facts[number]
        if _is_external(key):
            # The key of another system: told twice is one fact, whatever ids it was given here.
            return WriteOutcome.DUPLICATE if same else key_reused(self._spec, fact, "external_id")
        field = self._field_of(key.columns[-1])
        rule = f"another {self._spec.kind} is stored under the key {key.name}"
        return KeyReusedError(field, fact.values.get(field), rule)

    def _orphans(self) -> bool:
        """Take out what refers to a row that is neither stored nor in the batch; return whether there was any."""
        questions = [self._orphaned_by(place, key) for place, key in enumerate(self._table.foreign_keys)]
        orphans: dict[int, Verdict] = {}
        for number, place in self._ask(" UNION ALL ".join(questions)) if questions else ():
            field = self._table.foreign_keys[place].field
            value = self._facts[number].values.get(field)
            orphans.setdefault(number, MissingRowError(field, value, "refers to a row that is not stored"))
        self._take_out(orphans.items())
        return bool(orphans)

    def _orphaned_by(self, place: int, key: ForeignKey) -> str:
        also = f'AND NOT EXISTS (SELECT FROM "{self._name}" p WHERE p."{key.key}" = s."{key.column}")'
        return (
            f'SELECT s.ordinal, {place} FROM "{self._name}" s WHERE s."{key.column}" IS NOT NULL AND NOT EXISTS '
            f'(SELECT FROM "{key.table}" r WHERE r."{key.key}" = s."{key.column}") '
            f"{also if key.table == self._table.name else ''}"
        )

    def _take_out(self, judged: Iterable[tuple[int, Verdict]]) -> None:
        verdicts = dict(judged)
        if verdicts:
            self._verdicts |= verdicts
            self._ask(f'DELETE FROM "{self._name}" WHERE ordinal = ANY(%s)', list(verdicts))

    def _field_of(self, column: str) -> str:
        return next((field.name for field in self._table.fields if field.column == column), column)

    def _ask(self, statement: str, *parameters: Any) -> list[Any]:
        with connections[self._using].cursor() as cursor:
            # Without parameters a percent sign in a rule is just that.
            cursor.execute(statement, list(parameters) or None)
            return cursor.fetchall() if cursor.description else []


def _is_external(key: UniqueKey) -> bool:
    return key.name.endswith("_external")
