"""The roles as SQL, and the passwords that are not in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from friren.errors import ConfigurationError
from friren.operations import passwords
from friren.operations.rights import PROFILES, rights_of, tables
from friren.operations.role_setup import check_prefix, names, script
from friren.operations.roles import PREFIX

ROOT = Path(__file__).resolve().parents[4]
NAMES = names(PREFIX, sign_in=True)


def test_the_script_for_administrators_is_what_the_command_does() -> None:
    assert (ROOT / "deploy" / "postgres" / "roles.sql").read_text() == script(PREFIX) + "\n", (
        "run `manage.py setup_database --sql > deploy/postgres/roles.sql`"
    )


def test_the_script_names_every_role_and_no_password() -> None:
    text = script("test")

    assert names("test") == [f"test_{suffix}" for suffix in
                             ("owner", "migrator", "app_writer", "app_web", "app_ro", "backup", "monitor")]  # fmt: skip
    assert all(name in text for name in names("test"))
    assert "friren_owner" not in text
    assert re.search(r"PASSWORD\s+'", text) is None


def test_nobody_but_the_owner_may_truncate_and_no_fact_is_deleted_or_numbered() -> None:
    from friren.core.models import FactModel, SeriesModel

    facts = [model for model in tables() if issubclass(model, FactModel | SeriesModel)]
    for profile in PROFILES:
        assert all("TRUNCATE" not in rights_of(profile, model) for model in tables())
        for model in facts:
            rights = rights_of(profile, model)
            assert "DELETE" not in rights
            assert not {"recorded_seq", "created_at"} & set(rights.get("INSERT", ()))
            assert rights.get("INSERT", ("whole",)) != ()
    assert len(facts) > 15


@pytest.mark.parametrize("prefix", ["", "Friren", "1st", "a-b", 'a"; DROP', "x" * 42])
def test_a_prefix_that_would_have_to_be_quoted_is_refused(prefix) -> None:
    with pytest.raises(ConfigurationError, match="--roles"):
        check_prefix(prefix)


def test_passwords_come_from_a_file_that_nobody_else_can_read(tmp_path, monkeypatch) -> None:
    file = tmp_path / "passwords"
    file.write_text("# of the roles\n\nfriren_app_ro=a=b c\nfriren_backup = tail\n")
    file.chmod(0o600)
    monkeypatch.setenv("DB_ROLE_PASSWORDS_FILE", str(file))

    assert passwords.read_file(NAMES) == {"friren_app_ro": "a=b c", "friren_backup": " tail"}


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("friren_owner=hunter2\n", 0o600, "line 1 names no role of ours"),
        ("\nfriren_app_ro\n", 0o600, "line 2 names no role of ours"),
        (None, 0, "No such file"),
    ],
)
def test_a_file_of_passwords_that_cannot_be_used_is_told_without_them(tmp_path, monkeypatch, text, mode, why) -> None:
    file = tmp_path / "passwords"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    monkeypatch.setenv("DB_ROLE_PASSWORDS_FILE", str(file))

    with pytest.raises(ConfigurationError, match=why) as refusal:
        passwords.read_file(NAMES)
    assert "hunter2" not in str(refusal.value)


def test_a_file_of_passwords_that_others_can_read_is_refused(tmp_path, monkeypatch) -> None:
    file = tmp_path / "passwords"
    file.write_text("friren_app_ro=hunter2\n")
    file.chmod(0o644)
    monkeypatch.setenv("DB_ROLE_PASSWORDS_FILE", str(file))

    with pytest.raises(ConfigurationError, match="others can read it: `chmod 600` it") as refusal:
        passwords.read_file(NAMES)
    assert "hunter2" not in str(refusal.value)


def test_no_file_is_no_password(monkeypatch) -> None:
    monkeypatch.delenv("DB_ROLE_PASSWORDS_FILE", raising=False)

    assert passwords.read_file(NAMES) == {}
