"""
Finding the bad rows of a batch by asking about the whole set, never by trying halves.

The batch lies in a temporary table without rules. Every rule of the real table becomes one question;
what it names is taken out with its reason, and the rest is inserted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import DatabaseError, connections, transaction

from friren.errors import KeyReusedError, PeriodClosedError, RejectedRecordError
from friren.persistence.copy import copy_lines, is_refusal, key_reused
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
    Store what can be stored of a batch that the table refused as a whole.

    Returns:
        A verdict per fact; None when the set cannot be judged as a whole.

    Raises:
        DatabaseError: the database is in trouble.
    """
    for _attempt in range(ATTEMPTS_MAX):
        try:
            with transaction.atomic(using=using):
                return _Stage(spec, table, facts, using).store(producer)
        except DatabaseError as exc:
            if not is_refusal(exc):
                raise
    return None


class _Stage:
    """One batch in its temporary table."""

    def __init__(self, spec: FactSpec, table: Table, facts: Sequence[Fact], using: str) -> None:
        self._spec, self._table, self._facts, self._using = spec, table, facts, using
        self._name = f"friren_stage_{uuid4().hex}"
        self._verdicts: dict[int, Verdict] = {}

    def store(self, producer: UUID | None) -> list[Verdict]:
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
        self._ask(f'ANALYZE "{self._name}"')
        self._judge()
        self._ask(f'INSERT INTO "{layout.table}" ({listed}) SELECT {listed} FROM "{self._name}" ORDER BY ordinal')
        self._ask(f'DROP TABLE "{self._name}"')
        return [self._verdicts.get(number, WriteOutcome.STORED) for number in range(len(self._facts))]

    def _judge(self) -> None:
        self._stored_by_now()
        self._incomplete()
        self._against_rules()
        for key in self._table.unique_keys:
            self._taken(key)
        self._closed()
        while sum(self._orphans(key) for key in self._table.foreign_keys):
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

    def _incomplete(self) -> None:
        for column in self._table.required:
            field = self._field_of(column)
            found = self._ask(f'SELECT ordinal FROM "{self._name}" WHERE "{column}" IS NULL')
            self._take_out((number, RejectedRecordError(field, None, "is required")) for (number,) in found)

    def _against_rules(self) -> None:
        for rule in self._table.rules:
            found = self._ask(f'SELECT ordinal FROM "{self._name}" WHERE NOT ({rule.expression})')
            self._take_out(
                (number, RejectedRecordError(rule.field, self._facts[number].values.get(rule.field), rule.words))
                for (number,) in found
            )

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
        """Take out what a stored row has the key of."""
        equal = "IS NOT DISTINCT FROM" if key.nulls_equal else "="
        same = " AND ".join(f't."{column}" {equal} s."{column}"' for column in key.columns)
        found = self._ask(
            f'SELECT s.ordinal, t.digest = s.digest FROM (SELECT * FROM "{self._name}" WHERE {key.condition}) s '
            f'JOIN (SELECT * FROM "{self._table.name}" WHERE {key.condition}) t ON {same}'
        )
        self._take_out((number, self._second(key, number, same=same)) for number, same in found)

    def _repeated(self, key: UniqueKey) -> None:
        """Take out what an earlier row of the batch has the key of."""
        listed = ", ".join(f'"{column}"' for column in key.columns)
        some = "true" if key.nulls_equal else " AND ".join(f'"{column}" IS NOT NULL' for column in key.columns)
        found = self._ask(
            f"SELECT ordinal, digest = first FROM (SELECT ordinal, digest, row_number() OVER w AS place, "
            f'first_value(digest) OVER w AS first FROM "{self._name}" WHERE ({key.condition}) AND {some} '
            f"WINDOW w AS (PARTITION BY {listed} ORDER BY ordinal)) AS q WHERE place > 1"
        )
        self._take_out((number, self._second(key, number, same=same)) for number, same in found)

    def _second(self, key: UniqueKey, number: int, *, same: bool) -> Verdict:
        fact = self._facts[number]
        if key.name.endswith("_external"):
            # The key of another system: told twice is one fact, whatever ids it was given here.
            return WriteOutcome.DUPLICATE if same else key_reused(self._spec, fact, "external_id")
        field = self._field_of(key.columns[-1])
        rule = f"another {self._spec.kind} is stored under the key {key.name}"
        return KeyReusedError(field, fact.values.get(field), rule)

    def _orphans(self, key: ForeignKey) -> bool:
        also = f'AND NOT EXISTS (SELECT FROM "{self._name}" p WHERE p."{key.key}" = s."{key.column}")'
        found = self._ask(
            f'SELECT s.ordinal FROM "{self._name}" s WHERE s."{key.column}" IS NOT NULL AND NOT EXISTS '
            f'(SELECT FROM "{key.table}" r WHERE r."{key.key}" = s."{key.column}") '
            f"{also if key.table == self._table.name else ''}"
        )
        for (number,) in found:
            self._verdicts[number] = MissingRowError(
                key.field, self._facts[number].values.get(key.field), "refers to a row that is not stored"
            )
        self._take_out((number, self._verdicts[number]) for (number,) in found)
        return bool(found)

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
