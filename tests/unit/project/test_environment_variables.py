"""Every variable that the code reads is in .env.example, and the other way round."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import environ
import pytest

from friren.database_config import get_database_config

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / ".env.example"
READERS = {"text", "flag", "integer", "seconds", "choice", "items", "get", "setdefault", "getenv"}
# What the system sets, not the user of Friren.
SYSTEMS_OWN = {"PATH", "PYTHONPATH", "PYTEST_XDIST_WORKER", "NUMBA_DISABLE_JIT"}
NAME = re.compile(r"[A-Z][A-Z0-9_]{2,}")


def sources() -> Iterator[Path]:
    for package in ("friren", "trading_engine", "portfolio_manager"):
        yield from (ROOT / package).rglob("*.py")
    yield from (ROOT / "tests").glob("*.py")


def _is_environment(node: ast.expr) -> bool:
    text = ast.unparse(node)
    return text in {"os.environ", "environ", "os", "env", "self._env"} or text.startswith("Environment(")


def variables_read() -> set[str]:
    found: set[str] = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            arguments: list[ast.expr] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS:
                if _is_environment(node.func.value):
                    arguments = node.args
            elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
                arguments = [node.slice]
            found |= {
                argument.value
                for argument in arguments
                if isinstance(argument, ast.Constant) and NAME.fullmatch(str(argument.value))
            }
    return found - SYSTEMS_OWN


def variables_documented() -> set[str]:
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", EXAMPLE.read_text(), re.MULTILINE))


def test_example_documents_what_the_code_reads() -> None:
    assert variables_read() - variables_documented() == set(), "document it in .env.example"
    assert variables_documented() - variables_read() == set(), "nothing reads it any more"


def test_the_search_finds_them_at_all() -> None:
    assert {"DATABASE_URL", "DB_POOL_MAX_SIZE", "POSTGRES_PORT", "SECRET_KEY", "FRIREN_HOME", "LOG_LEVEL"} <= (
        variables_read()
    )


def test_example_holds_the_defaults(tmp_path, monkeypatch) -> None:
    """Uncommenting every line with a value changes nothing but which database is used."""
    lines = [
        line for line in EXAMPLE.read_text().splitlines() if re.match(r"#DB_(POOL|CONN|STAT|LOCK|IDLE|PREP|APP)", line)
    ]
    (tmp_path / ".env").write_text("\n".join(line.removeprefix("#") for line in lines))
    values: dict[str, str] = {}
    monkeypatch.setattr(environ.Env, "ENVIRON", values)
    environ.Env.read_env(tmp_path / ".env")

    assert len(values) == len(lines) > 10
    url = {"DATABASE_URL": "postgresql://localhost/t"}
    assert get_database_config(url | values) == get_database_config(url)
    with_age = url | {"DB_POOL_ENABLED": "false"}
    assert get_database_config(with_age | values | {"DB_POOL_ENABLED": "false"}) == get_database_config(with_age)


@pytest.mark.parametrize("name", ["SECRET_KEY", "DB_PASSWORD", "POSTGRES_PASSWORD"])
def test_example_holds_no_secret(name) -> None:
    assert re.search(rf"^#?{name}=$", EXAMPLE.read_text(), re.MULTILINE)
