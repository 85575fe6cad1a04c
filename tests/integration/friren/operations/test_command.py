"""The base of every command."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError

from friren.errors import ConfigurationError
from friren.operations.command import BaseFrirenCommand


class Books(BaseFrirenCommand):
    """A command whose work is given by the test."""

    work = staticmethod(lambda _command: None)

    def run(self, **_options):
        return self.work(self)


def call(work, *arguments: str) -> str:
    command = Books()
    command.work = work
    call_command(command, *arguments, stdout=(stdout := io.StringIO()))
    return stdout.getvalue()


def from_a_terminal(work, *arguments: str) -> tuple[int, str, str]:
    command = Books(stdout=(stdout := io.StringIO()), stderr=(stderr := io.StringIO()), no_color=True)
    command.work = work
    with pytest.raises(SystemExit) as exit_:
        command.run_from_argv(["manage.py", "books", *arguments])
    return exit_.value.code, stdout.getvalue(), stderr.getvalue()


def failing(error: Exception):
    def work(_command) -> None:
        raise error

    return work


def test_prints_one_json_object() -> None:
    assert json.loads(call(lambda _: {"cash": Decimal("10.50"), "open": None}, "--json")) == {
        "cash": "10.5",
        "open": None,
    }


def test_prints_a_table_for_people() -> None:
    text = call(lambda _: {"final_equity": Decimal("10.50")})

    assert text.split() == ["final", "equity", "10.5"]


def test_knows_whether_stdout_belongs_to_json() -> None:
    assert json.loads(call(lambda command: {"json": command.as_json}, "--json")) == {"json": True}


def test_may_print_nothing() -> None:
    assert call(lambda _: None) == ""


@pytest.mark.parametrize(
    "error", [ConfigurationError("one\n  two"), OperationalError("one\ntwo"), CommandError("one two")]
)
def test_an_expected_error_is_one_plain_line(error) -> None:
    assert from_a_terminal(failing(error)) == (1, "", "error: one two\n")


def test_an_expected_error_can_be_caught_by_a_caller() -> None:
    with pytest.raises(CommandError, match="one two") as caught:
        call(failing(ConfigurationError("one two")))
    assert isinstance(caught.value.__cause__, ConfigurationError)


def test_an_unexpected_error_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        call(failing(ZeroDivisionError()))


def test_a_traceback_is_there_for_who_asks() -> None:
    with pytest.raises(ConfigurationError):
        call(failing(ConfigurationError("one")), "--traceback")


def test_a_report_of_failure_is_printed_before_exit_1() -> None:
    def work(command) -> dict:
        command.failed = True
        return {"ok": False}

    assert from_a_terminal(work, "--json") == (1, '{"ok": false}\n', "")


def test_wrong_usage_exits_with_2() -> None:
    assert from_a_terminal(lambda _: None, "--colour")[0] == 2
