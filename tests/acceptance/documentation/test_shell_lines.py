"""What the pages tell a reader to type works: every shell line is run, or says why it is not."""

from __future__ import annotations

import pytest

from tests.documentation.pages import Block, Line, pages
from tests.documentation.runner import Reader, matches


@pytest.mark.slow
def test_every_shell_line_runs_or_says_why_not() -> None:
    with Reader(quick=True) as reader:
        for page in pages():
            reader.read(page)

    assert reader.told.failures == [], "\n".join(["", *reader.told.failures])
    assert reader.told.run > 20


def test_instructions_stand_in_blocks_that_are_run() -> None:
    stray = [f"{page.name}:{number}: {line}" for page in pages() if page.instructs for number, line in page.stray]

    assert stray == [], "put them into a block of ```sh or ```console"


def test_a_reason_not_to_run_a_line_is_a_sentence() -> None:
    reasons = [reason for page in pages() for block in page.blocks for reason in block.marked("not run")]

    assert reasons
    assert [reason for reason in reasons if len(reason.split()) < 3] == []


@pytest.mark.parametrize(
    ("shown", "output", "is_so"),
    [
        (["inserted 600", "…"], "\n  inserted      600 \n  duplicates 0\n", True),
        (["inserted 600"], "inserted 60", False),
        (["…Final equity…"], "│ Final equity 101 │", True),
        ([], "whatever", True),
    ],
)
def test_what_is_shown_is_compared_without_blanks_and_with_holes(shown, output, is_so) -> None:
    assert matches(shown, output) is is_so


def test_lines_go_together_where_a_shell_takes_them_together() -> None:
    text = ["# nothing", "manage.py health \\", "    --json", "", "cat <<END", "a", "END", "true  # yes"]

    assert Block(10, "sh", "", text).lines == [
        Line(12, "manage.py health \\\n    --json"),
        Line(15, "cat <<END\na\nEND"),
        Line(18, "true  # yes"),
    ]


def test_a_session_tells_commands_from_what_they_print() -> None:
    assert Block(1, "console", "", ["$ echo a", "a", "$ true"]).lines == [Line(2, "echo a", ["a"]), Line(4, "true", [])]
