"""Runs the lines of pages, one shell per block, on one embedded server for all of them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Final, Self

from friren.embedded.binaries import find_binaries
from tests.documentation.pages import ROOT, Block, Line, Page
from tests.documentation.zygote import client
from tests.servers import ThrowAwayServer, command_environment, remove_folder

# A line that takes longer hangs, or asks somebody something.
SECONDS_MAX: Final = 300
_MARK: Final = "\x1e"
# `uv run` without looking whether the environment is as it should be: it is the one that runs this.
_PYTHON3: Final = """\
#!/bin/bash
if [ "$1 $2 $3" = "-m uv run" ]; then
    shift 3
    while [ "${{1#--}}" != "$1" ]; do
        case $1 in --group|--extra) shift 2 ;; *) shift ;; esac
    done
    case $1 in
        manage.py) exec manage.py "${{@:2}}" ;;
        python|python3) exec python "${{@:2}}" ;;
        *) program=$1; shift; exec "{programs}/$program" "$@" ;;
    esac
fi
[ "$*" = "-m pip install uv" ] && exit  # it is there, or the tests would not run
if [ "$1 $2" = "-m uv" ] || [ "$1 $2" = "-m pip" ]; then
    echo "nothing is installed here: mark this line" >&2
    exit 64
fi
case $1 in
    *.py) exec {run} "$@" ;;
    *) exec "{python}" "$@" ;;
esac
"""
_MANAGE: Final = '#!/bin/bash\nexec {run} "{root}/manage.py" "$@"\n'


@dataclass
class Told:
    """
    What came of the lines.

    Attributes:
        failures: page, line and what happened.
        marked: page, line and why it is not run.
    """

    run: int = 0
    failures: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)


class Reader:
    """
    Someone who does what the pages say, in a folder of their own.

    Args:
        slow: what is marked so, too.
        quick: commands are forked by a process that has imported what they need of others, see `zygote`.
    """

    def __init__(self, *, slow: bool = False, quick: bool = False) -> None:
        self._server = ThrowAwayServer(migrated=True)
        self._slow, self._quick = slow, quick
        self._zygote: subprocess.Popen[str] | None = None
        self.told = Told()

    def __enter__(self) -> Self:
        self._server.start(synchronous_commit="off", full_page_writes="off")
        self._folder = self._server.home.parent / "reader"
        programs = self._folder / ".programs"
        programs.mkdir(parents=True)
        places = {
            "python": sys.executable, "root": ROOT, "programs": Path(sys.executable).parent, "run": self._run(programs),
        }  # fmt: skip
        for name, text in (("python3", _PYTHON3), ("python", _PYTHON3), ("manage.py", _MANAGE), ("friren", _MANAGE)):
            (programs / name).write_text(text.format(**places))
            (programs / name).chmod(0o755)
        for name in ("manage.py", ".env.example", "deploy", "docs"):
            (self._folder / name).symlink_to(ROOT / name)
        postgres = find_binaries(self._server.location.binaries, identity=None).program("psql")
        environment = command_environment(
            self._server.home,
            FRIREN_ENV_FILE=str(self._folder / ".env"),
            FRIREN_WRITE_DEADLINE="30",
            COLUMNS="120",
            NO_COLOR="1",
        )
        environment["PATH"] = f"{programs}:{Path(postgres).parent}:{environment['PATH']}"
        # What connects without being told where finds the embedded server.
        self._environment = environment | {
            "PGHOST": str(self._server.location.socket_directory), "PGUSER": "friren", "PGDATABASE": "friren",
        }  # fmt: skip
        return self

    def _run(self, programs: Path) -> str:
        """Return what runs a script of Python; whoever is to run them is begun."""
        if not self._quick:
            return f'"{sys.executable}"'
        path = programs / "zygote"
        (programs / "client.py").write_text(client(path))
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.documentation.zygote", str(path)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True,
            env=command_environment(self._server.home),
        )  # fmt: skip
        assert self._zygote.stdout is not None
        assert self._zygote.stdout.readline() == "ready\n"
        return f'"{sys.executable}" -SEs "{programs / "client.py"}"'

    def __exit__(self, *_: object) -> None:
        if self._zygote is not None:
            os.killpg(self._zygote.pid, signal.SIGTERM)  # and what it has begun
            self._zygote.communicate()
        remove_folder(self._server.home)

    def read(self, page: Page) -> None:
        """Do what a page says, down to the first line that does not work."""
        environment = dict(self._environment)
        for block in page.blocks:
            for pair in block.marked("env"):
                name, _, value = pair.partition("=")
                environment[name] = Template(value).substitute(environment, HERE=self._folder)
            if block.language == "python" and block.title:
                (self._folder / block.title).write_text("\n".join(block.text) + "\n")
            if block.is_shell and not self._left_out(page, block) and not self._did(page, block, environment):
                return

    def _left_out(self, page: Page, block: Block) -> bool:
        reasons = block.marked("not run") + ([] if self._slow else block.marked("slow"))
        for line in block.lines if reasons else ():
            self.told.marked.append(f"{page.name}:{line.number}: {line.command}  ({reasons[0]})")
        return bool(reasons)

    def _did(self, page: Page, block: Block, environment: dict[str, str]) -> bool:
        lines = [Line(block.number, command) for command in block.marked("before")] + block.lines
        wanted = int((block.marked("exit") or ["0"])[0])
        done = subprocess.run(
            ["bash", "-c", _script(lines)],
            cwd=self._folder, env=environment, text=True, check=False, timeout=SECONDS_MAX,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        outputs = done.stdout.split(_MARK)[1:]
        reached = lines[len(outputs) - 1]
        last = reached is lines[-1]
        if done.returncode != (wanted if last else 0) or not last:
            self._failed(page, reached, f"exit code {done.returncode}", outputs[-1])
            return False
        self.told.run += len(block.lines)
        for line, output in zip(lines, outputs, strict=True):
            if line.shown is not None and not matches(line.shown, output):
                self._failed(page, line, "prints something else than the page shows", output)
        return True

    def _failed(self, page: Page, line: Line, what: str, output: str) -> None:
        self.told.failures.append(f"{page.name}:{line.number}: {line.command}\n    {what}: {output.strip()[-800:]}")


def matches(shown: Iterable[str], output: str) -> bool:
    """Return whether an output is what a page shows; `…` stands for anything, and blanks do not count."""
    pattern = r"\s*".join(".*".join(map(re.escape, word.split("…"))) for word in " ".join(shown).split())
    return not pattern or re.fullmatch(rf"\s*{pattern}\s*", output, re.DOTALL) is not None


def _script(lines: Iterable[Line]) -> str:
    def parts() -> Iterator[str]:
        yield "set -eu -o pipefail"
        for line in lines:
            yield f"printf '{_MARK}'"
            yield line.command

    return "\n".join(parts())
