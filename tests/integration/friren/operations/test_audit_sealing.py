"""Seals: which facts they cover, who can make them, and what holds when something goes wrong on the way."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from friren.core.models import AuditLog
from friren.errors import ConfigurationError, DatabaseUnavailableError, FrirenError
from friren.operations import audit, health
from friren.operations.audit import chain, layout, rows, sealing
from friren.operations.audit.export import Exported, export_folder
from friren.operations.models import AuditBlock
from tests.factories import AuditLogFactory, TradeFactory, UserFactory
from tests.postgres import admin_connection
from tests.tampering.writers import copy_of, eight_writers
from trading_engine.models import Trade


@pytest.fixture(autouse=True)
def home(settings, tmp_path) -> Path:
    """A folder for key and head of the test's own."""
    settings.FRIREN_AUDIT_HOME = tmp_path / "audit"
    return settings.FRIREN_AUDIT_HOME


@pytest.fixture
def session():
    """Open a session of another process."""
    with psycopg.connect(connection_url()) as other:
        yield other


def connection_url() -> str:
    options = connection.get_connection_params()
    return psycopg.conninfo.make_conninfo(
        dbname=options["dbname"], host=options.get("host"), user=options.get("user"), port=options.get("port")
    )


def forge(statement: str) -> None:
    with admin_connection(connection.settings_dict["NAME"]) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(statement)


def own_files() -> tuple[Path, Path]:
    return export_folder("default") / "head.jsonl", export_folder("default") / "leaves.bin"


def test_every_fact_is_sealed_once() -> None:
    TradeFactory.create_batch(3)
    first = audit.seal()
    TradeFactory.create_batch(2)
    second = audit.seal()

    found = audit.verify()
    assert found.ok
    assert (found.blocks, found.rows) == (first.blocks + second.blocks, first.rows + second.rows)
    assert Trade.objects.filter(recorded_seq__lte=second.last_seq).count() == 5
    assert found.unsealed == 1  # the entry about the second seal itself


def test_sealing_again_and_again_seals_nothing_but_what_is_new() -> None:
    TradeFactory()
    audit.seal()
    before = (AuditBlock.objects.count(), AuditLog.objects.count())

    assert [audit.seal().blocks for _ in range(3)] == [0, 0, 0]
    assert (AuditBlock.objects.count(), AuditLog.objects.count()) == before


def test_blocks_cover_their_table_without_gap_whatever_their_size(monkeypatch) -> None:
    monkeypatch.setattr(chain, "BLOCK_ROWS_MAX", 2)
    monkeypatch.setattr(chain, "NUMBERS_AT_ONCE", 3)
    TradeFactory.create_batch(7)
    audit.seal()

    ranges = AuditBlock.objects.filter(table_name="trading_engine_trade").order_by("seq")
    assert [block.row_count for block in ranges] == [2, 2, 2, 1]
    firsts, lasts = zip(*ranges.values_list("first_seq", "last_seq"), strict=True)
    assert firsts == (1, *(last + 1 for last in lasts[:-1]))
    assert audit.verify().ok


def test_a_fact_that_may_still_commit_holds_the_seal_back(session) -> None:
    TradeFactory()
    session.execute(copy_of(session, "trading_engine_trade"))  # numbered, not committed
    AuditLogFactory()

    with pytest.raises(DatabaseUnavailableError, match=f"process {session.info.backend_pid} of the server"):
        audit.seal(wait=0.1)
    assert not AuditBlock.objects.exists()

    session.commit()
    audit.seal()
    assert audit.verify().rows == Trade.objects.count() + AuditLog.objects.count() - 1 + opening_deposits()


def opening_deposits() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM portfolio_manager_cashmovement")
        return cursor.fetchone()[0]


def test_eight_writers_raise_no_false_alarm() -> None:
    TradeFactory()
    AuditLogFactory()
    with eight_writers(connection_url(), seed=1, pause=0.02):
        for _ in range(6):
            audit.seal()
            found = audit.verify()
            assert found.ok, found.first_bad
    audit.seal()

    assert audit.verify().rows == Trade.objects.count() + AuditLog.objects.count() - 1 + status_events()


def status_events() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM trading_engine_tradestatusevent")
        return cursor.fetchone()[0] + opening_deposits()


def test_the_key_is_for_its_owner_alone_and_its_public_half_is_there_to_be_copied(home) -> None:
    TradeFactory()
    audit.seal()

    assert stat.S_IMODE((home / "key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    (public,) = (home / "keys").glob("*.pem")
    assert public.stem == AuditBlock.objects.first().key_id
    assert audit.verify(public_keys=[public]).ok


def test_a_key_of_somebody_else_proves_nothing(home, settings, tmp_path) -> None:
    TradeFactory()
    audit.seal()
    settings.FRIREN_AUDIT_HOME = tmp_path / "other"
    TradeFactory()
    audit.seal()
    (other,) = (tmp_path / "other" / "keys").glob("*.pem")

    found = audit.verify(folder=home / export_folder("default").name, public_keys=[other])

    assert "signed by a key that is known" in found.first_bad.what


def test_a_new_key_is_vouched_for_by_the_old_one(home) -> None:
    TradeFactory()
    audit.seal()
    (first,) = (home / "keys").glob("*.pem")
    old = (home / "key.pem").read_bytes()
    key_id = audit.rotate_key()
    TradeFactory()
    audit.seal()

    assert (home / "key.pem").read_bytes() != old
    assert AuditBlock.objects.order_by("seq").last().key_id == key_id != first.stem
    assert audit.verify().ok
    assert audit.verify(public_keys=[first]).ok
    assert AuditLog.objects.get(action="CONFIG_CHANGE").after == {"key_id": key_id}


@pytest.mark.parametrize("content", [b"", b"no key", "RSA"])
def test_a_key_that_is_none_is_refused_in_one_line(home, content) -> None:
    home.mkdir(mode=0o700)
    if content == "RSA":
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

        content = generate_private_key(65537, 1024).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    (home / "key.pem").write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"key\.pem is no"):
        audit.seal()


def test_what_a_crash_kept_from_being_exported_is_exported_by_the_next_run(monkeypatch) -> None:
    TradeFactory()
    with monkeypatch.context() as patched:
        patched.setattr(Exported, "append", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            audit.seal()
    assert AuditBlock.objects.exists()
    assert "no exported head" in audit.verify().first_bad.what

    report = audit.seal()

    assert (report.blocks, report.exported) == (0, AuditBlock.objects.count())
    assert audit.verify().ok


@pytest.mark.parametrize("torn", [b'{"torn":{"blo', b"\0" * 100])
def test_a_line_and_leaves_that_a_crash_left_half_written_are_written_over(torn) -> None:
    TradeFactory()
    audit.seal()
    head, leaves = own_files()
    for path in (head, leaves):
        path.write_bytes(path.read_bytes() + torn)
    assert audit.verify().ok

    TradeFactory()
    audit.seal()

    assert audit.verify().ok
    assert torn not in head.read_bytes() + leaves.read_bytes()


def test_a_head_that_lost_its_end_is_written_anew_from_the_database() -> None:
    TradeFactory.create_batch(2)
    audit.seal()
    head, _leaves = own_files()
    whole = head.read_bytes()
    head.write_bytes(whole[: whole.index(b"\n") + 1])
    audit.seal()

    assert head.read_bytes() == whole
    assert audit.verify().ok


def test_leaves_that_were_cut_off_are_not_papered_over() -> None:
    TradeFactory()
    audit.seal()
    _head, leaves = own_files()
    leaves.write_bytes(leaves.read_bytes()[:-48])
    TradeFactory()

    with pytest.raises(FrirenError, match="shorter than it was"):
        audit.seal()


def test_a_damaged_line_of_the_head_is_named() -> None:
    TradeFactory()
    audit.seal()
    head, _leaves = own_files()
    head.write_bytes(head.read_bytes().replace(b'"row_count":1', b'"row_count":2', 1))

    assert f"{head}, line 1: block 1" in audit.verify().found[0].what
    with pytest.raises(FrirenError, match="damaged"):
        audit.seal()


def test_a_restore_that_nobody_signed_takes_nothing_back() -> None:
    TradeFactory()
    audit.seal()
    head, _leaves = own_files()
    note = {"type": "restored", "at": "", "key_id": AuditBlock.objects.first().key_id, "seq": 0, "reason": "forged"}
    with head.open("a") as file:
        file.write(json.dumps({"note": {"note": note, "signature": "00" * 64}}) + "\n")
    forge("DELETE FROM operations_auditblock")

    told = [fault.what for fault in audit.verify().found]

    assert told.count("is gone") > 0
    assert any("signed by no key" in what for what in told)


def test_after_a_restore_that_was_meant_the_chain_goes_on(home) -> None:
    TradeFactory()
    audit.seal()
    kept = AuditBlock.objects.count()
    end = AuditBlock.objects.order_by("seq").last().last_seq
    TradeFactory()
    audit.seal()
    for model in (AuditBlock, Trade, AuditLog):
        number = "seq" if model is AuditBlock else "recorded_seq"
        forge(f"DELETE FROM {model._meta.db_table} WHERE {number} > {kept if model is AuditBlock else end}")
    forge(f"DELETE FROM portfolio_manager_cashmovement WHERE recorded_seq > {end}")

    assert not audit.verify().ok
    with pytest.raises(FrirenError, match="accept-restore"):
        audit.seal()

    assert audit.accept_restore(reason="disk failed, restored to noon") == kept
    TradeFactory()
    audit.seal()
    found = audit.verify()
    assert found.ok, found.first_bad
    assert AuditLog.objects.get(action="RESTORE").after["reason"] == "disk failed, restored to noon"
    with pytest.raises(FrirenError, match="nothing was rolled back"):
        audit.accept_restore(reason="again")


def test_a_block_keeps_the_columns_it_was_made_with(monkeypatch) -> None:
    TradeFactory()
    with monkeypatch.context() as patched:
        patched.setattr(Trade, "lifecycle", (*Trade.lifecycle, "market_question"))
        audit.seal()
    TradeFactory()
    audit.seal()

    counts = [
        len(block.layout["columns"])
        for block in AuditBlock.objects.filter(table_name="trading_engine_trade").order_by("seq")
    ]
    assert counts[0] + 1 == counts[1]
    assert audit.verify().ok


def test_a_sealed_column_that_is_gone_is_told() -> None:
    TradeFactory()
    audit.seal()
    forge("ALTER TABLE trading_engine_trade RENAME COLUMN liquidity TO fluidity")
    try:
        assert audit.verify().first_bad.what == "cannot be read: trading_engine_trade.liquidity is gone"
    finally:
        forge("ALTER TABLE trading_engine_trade RENAME COLUMN fluidity TO liquidity")


def test_rows_in_the_archive_are_as_sealed_as_before() -> None:
    trade, *_ = TradeFactory.create_batch(3)
    audit.seal()
    forge(
        "CREATE SCHEMA archive; CREATE TABLE archive.trading_engine_trade (LIKE trading_engine_trade);"
        f"WITH gone AS (DELETE FROM trading_engine_trade WHERE id = '{trade.id}' RETURNING *) "
        "INSERT INTO archive.trading_engine_trade SELECT * FROM gone"
    )
    try:
        assert audit.verify().ok
        forge("UPDATE archive.trading_engine_trade SET price = 1")
        assert (audit.verify().first_bad.id, audit.verify().first_bad.column) == (str(trade.id), "price")
    finally:
        forge("DROP SCHEMA archive CASCADE")


@pytest.mark.parametrize(
    "setting",
    ["TimeZone = 'Asia/Tokyo'", "DateStyle = 'SQL, DMY'", "bytea_output = 'escape'", "extra_float_digits = -5"],
)
def test_what_a_session_is_set_to_changes_no_hash(setting) -> None:
    TradeFactory()
    audit.seal()
    with connection.cursor() as cursor:
        cursor.execute(f"SET {setting}")
    try:
        assert audit.verify().ok
    finally:
        connection.close()


def test_the_text_that_is_hashed_is_the_one_that_copy_gives() -> None:
    trade = TradeFactory(reasoning="tab\tnew line\n\\N back")
    of = layout.Layout.of(Trade)
    with rows.one_snapshot("default"):
        (row,) = rows.read_rows(of, 1, 10**6, using="default", keep_text=True)

    seq, key, *values = row.text.decode().rstrip("\n").split("\t")
    assert (int(seq), key) == (trade.recorded_seq, str(trade.id))
    assert dict(zip(of.names[2:], values, strict=True))["reasoning"] == r"tab\tnew line\n\\N back"


def run(capsys, *arguments: str) -> tuple[int, dict]:
    capsys.readouterr()
    try:
        call_command(*arguments, "--json")
    except SystemExit as exc:
        return exc.code, json.loads(capsys.readouterr().out)
    return 0, json.loads(capsys.readouterr().out)


def test_the_commands_report_what_they_did(capsys) -> None:
    trade = TradeFactory()
    code, sealed = run(capsys, "seal_audit")
    assert (code, sealed["head"]["seq"]) == (0, sealed["blocks"])

    code, found = run(capsys, "verify_audit", "--expect", f"{sealed['head']['seq']}:{sealed['head']['hash']}")
    assert (code, found["ok"], found["first_bad"], found["rows"]) == (0, True, None, sealed["rows"])

    forge("UPDATE trading_engine_trade SET price = price + 1")
    code, found = run(capsys, "verify_audit")
    assert (code, found["ok"], found["faults"]) == (1, False, 1)
    assert found["first_bad"] == {
        "table": "trading_engine_trade", "id": str(trade.id), "recorded_seq": trade.recorded_seq,
        "what": "price was changed", "column": "price",
    }  # fmt: skip
    with pytest.raises(SystemExit):
        call_command("verify_audit")
    assert f"trading_engine_trade {trade.id}: price was changed" in capsys.readouterr().out


def test_an_operator_is_named_by_the_entry_about_the_seal() -> None:
    TradeFactory()
    report = audit.seal()

    entry = AuditLog.objects.get(source="seal_audit")
    assert entry.after == {"blocks": report.blocks, "rows": report.rows}
    assert "@" in entry.actor_label
    assert entry.db_user


def test_the_list_of_blocks_leaves_their_leaves_where_they_are() -> None:
    TradeFactory()
    audit.seal()
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))

    shown = client.get("/admin/operations/auditblock/").context["cl"].result_list

    assert shown
    assert all("leaves" in row.get_deferred_fields() for row in shown)


def test_an_old_key_is_kept_until_the_new_one_is_vouched_for(home, monkeypatch) -> None:
    TradeFactory()
    audit.seal()
    old = (home / "key.pem").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(Exported, "append", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            audit.rotate_key()

    assert (home / "key.pem").read_bytes() == old
    TradeFactory()
    audit.seal()
    assert audit.verify().ok


def test_a_block_that_another_machine_made_meanwhile_is_not_made_twice(monkeypatch) -> None:
    TradeFactory()
    audit.seal()
    TradeFactory()
    last = AuditBlock.objects.order_by("seq").last()
    with monkeypatch.context() as patched:
        # As a snapshot from before the other's commit shows the chain.
        patched.setattr(sealing, "_lock", lambda _using: None)
        patched.setattr(chain.Chain, "has_news", lambda self, _horizon: setattr(self, "_seq", last.seq - 1) or True)
        with pytest.raises(DatabaseUnavailableError, match="another machine"):
            audit.seal()

    audit.seal()
    assert audit.verify().ok


def test_only_one_process_seals_at_a_time(session) -> None:
    TradeFactory()
    session.execute("SELECT pg_advisory_lock(%s)", [sealing.ADVISORY_LOCK])

    with pytest.raises(DatabaseUnavailableError, match="another machine is sealing"):
        audit.seal()


def health_of_seals() -> health.Finding:
    return health.examine(["audit"]).checks["audit"][0]


def test_health_asks_nothing_of_who_never_sealed() -> None:
    TradeFactory()

    assert health_of_seals().ok


def test_health_is_well_while_seals_go_on_and_sees_a_database_that_was_rolled_back() -> None:
    TradeFactory()
    audit.seal()
    assert health_of_seals().ok
    forge("DELETE FROM operations_auditblock WHERE seq = (SELECT max(seq) FROM operations_auditblock)")

    assert "not in the database as it was exported" in health_of_seals().message


def test_health_sees_facts_that_nobody_seals() -> None:
    TradeFactory()
    audit.seal()
    TradeFactory()
    assert health_of_seals().ok
    forge("UPDATE trading_engine_trade SET created_at = created_at - interval '27 hours'")

    assert "to be sealed" in health_of_seals().message


def test_what_was_changed_before_it_was_sealed_is_told_by_its_digest(capsys) -> None:
    trade = TradeFactory()
    TradeFactory()
    forge(f"UPDATE trading_engine_trade SET quantity = quantity + 1 WHERE id = '{trade.id}'")

    code, report = run(capsys, "seal_audit")

    assert code == 1
    assert [(fault["table"], fault["id"]) for fault in report["altered"]] == [("trading_engine_trade", str(trade.id))]
    assert AuditLog.objects.get(source="seal_audit").after["altered"] == [f"trading_engine_trade {trade.id}"]
    assert audit.verify().ok  # as it was sealed
    code, found = run(capsys, "verify_audit", "--digests")
    assert (code, found["first_bad"]["id"]) == (1, str(trade.id))
    assert found["faults"] == 1
