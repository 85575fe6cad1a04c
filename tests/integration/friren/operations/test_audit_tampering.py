"""Nothing that was sealed can be forged by whoever rules the database without being named."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from django.db import connection

from friren.operations import audit
from friren.operations.audit import verification
from friren.operations.audit.layout import layouts
from friren.persistence import engines
from tests import postgres as harness
from tests.tampering.attacks import ATTACKS, CHAIN_ATTACKS, edit_column
from tests.tampering.ground import Sealed, facts, sealed_database

SEED = 20261120


@pytest.fixture(scope="module")
def sealed(django_db_setup, django_db_blocker) -> Iterator[Sealed]:
    """A database of this module's own, which Django's connection leads to meanwhile."""
    own = connection.settings_dict["NAME"]
    name = f"{own}_audit"
    harness.copy_template(name)
    with django_db_blocker.unblock(), harness.admin_connection(name) as session:
        engines.close_all()
        connection.close()
        connection.settings_dict["NAME"] = name
        try:
            yield sealed_database(session, rows=1_000, seals=3, chance=random.Random(SEED))
        finally:
            engines.close_all()
            connection.close()
            connection.settings_dict["NAME"] = own
            harness.drop_database(name)


@pytest.fixture(autouse=True)
def _as_it_was(sealed, django_db_blocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield
        sealed.restore()


def by_name(attack) -> str:
    return attack.__name__


def told(found) -> tuple:
    return found.first_bad.table, found.first_bad.id, found.first_bad.column


def test_what_is_as_it_was_sealed_passes(sealed) -> None:
    found = audit.verify()

    assert found.ok
    assert found.first_bad is None
    assert found.rows == len(facts(sealed)) > 900
    assert found.blocks == found.exported > 100


@pytest.mark.parametrize("attack", [*ATTACKS, *CHAIN_ATTACKS], ids=by_name)
def test_a_forgery_is_found_and_its_first_row_named(sealed, attack) -> None:
    named = attack(sealed, random.Random(SEED))

    found = audit.verify()

    assert not found.ok
    table, key, column = told(found)
    assert (table, {key} & named.ids) == (named.table, {key}), found.first_bad
    assert column in named.columns, found.first_bad


@pytest.mark.parametrize("attack", ATTACKS, ids=by_name)
def test_a_manifest_and_the_public_key_are_enough_to_name_a_forged_row(sealed, attack, tmp_path) -> None:
    named = attack(sealed, random.Random(SEED))

    found = audit.verify(folder=tmp_path, expected=[sealed.head])

    table, key, column = told(found)
    assert (table, {key} & named.ids) == (named.table, {key}), found.first_bad
    assert column in named.columns, found.first_bad


def test_every_sealed_column_of_every_table_is_named_when_it_is_changed(sealed, monkeypatch) -> None:
    monkeypatch.setattr(verification, "FAULTS_MAX", 10_000)
    every, expected = facts(sealed), []
    for layout in layouts():
        columns = [name for name in layout.columns if name not in {"id", "recorded_seq"}]
        rows = [fact for fact in every if fact.table == layout.table]
        assert len(rows) >= len(columns)
        expected += [edit_column(sealed, *pair) for pair in zip(rows, columns, strict=False)]

    found = audit.verify()

    faults = {(fault.table, fault.id): fault.column for fault in found.found}
    missed = [
        named
        for named in expected
        for key in named.ids
        if (named.table, key) not in faults or faults[named.table, key] not in named.columns
    ]
    assert missed == []
    assert found.faults == len(expected)


def test_an_exported_head_that_is_gone_is_no_proof(sealed, tmp_path) -> None:
    found = audit.verify(folder=tmp_path)

    assert not found.ok
    assert "no exported head" in found.first_bad.what
