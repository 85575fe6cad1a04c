"""PostgreSQL's archive_command: a file is kept whole, once, and only under its own name."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pyrage
import pytest

import friren.archive_wal
from friren.archive_wal import KEPT, RefusedError, digest, keep

SYSTEM = 7_000_000_000_000_000_001
SIZE = 1 << 20
NAME = "000000010000000000000003"


def segment(name: str = NAME, *, system: int = SYSTEM, timeline: int = 1, text: bytes = b"a record") -> bytes:
    number = int(name[8:16], 16) * ((1 << 32) // SIZE) + int(name[16:], 16)
    header = struct.pack("=HHIQI4xQII", 0xD118, 2, timeline, number * SIZE, 0, system, SIZE, 8192)
    return (header + text).ljust(SIZE, b"\0")


@pytest.fixture
def cluster(tmp_path) -> Path:
    """A data directory, as far as the command looks at it."""
    data = tmp_path / "data"
    (data / "global").mkdir(parents=True)
    (data / "pg_wal").mkdir()
    (data / "global" / "pg_control").write_bytes(SYSTEM.to_bytes(8, sys.byteorder) + bytes(100))
    (data / "pg_wal" / NAME).write_bytes(segment())
    return data


def kept(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def run(cluster: Path, name: str = NAME, *options: str) -> subprocess.CompletedProcess[str]:
    """As PostgreSQL runs it: by its path, in the data directory, without any package that is installed."""
    script = [sys.executable, "-I", "-S", friren.archive_wal.__file__, f"pg_wal/{name}", name]
    return subprocess.run(
        [*script, "--to", str(cluster.parent / "wal"), *options],
        cwd=cluster,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_segment_is_kept_under_a_name_that_proves_it(cluster, tmp_path) -> None:
    assert run(cluster).returncode == 0

    (path,) = kept(tmp_path / "wal")
    match = KEPT.fullmatch(path.name)
    assert path.parent == tmp_path / "wal" / str(SYSTEM) / NAME[:16]
    assert zlib.decompress(path.read_bytes(), 31) == segment()
    assert (match["name"], match["content"], match["file"]) == (NAME, digest(segment()), digest(path.read_bytes()))
    assert os.name == "nt" or path.stat().st_mode & 0o077 == 0


def test_the_same_told_twice_is_kept_once(cluster, tmp_path) -> None:
    run(cluster)
    before = kept(tmp_path / "wal")[0].stat()

    assert run(cluster).returncode == 0

    (path,) = kept(tmp_path / "wal")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_other_content_under_a_name_that_is_kept_is_refused(cluster, tmp_path) -> None:
    run(cluster)
    (path,) = kept(tmp_path / "wal")
    (cluster / "pg_wal" / NAME).write_bytes(segment(text=b"another record"))

    done = run(cluster)

    assert done.returncode == 1
    assert "with other content" in done.stderr
    assert zlib.decompress(path.read_bytes(), 31) == segment()
    assert kept(tmp_path / "wal") == [path]


def test_what_was_damaged_since_is_replaced(cluster, tmp_path) -> None:
    run(cluster)
    (path,) = kept(tmp_path / "wal")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])

    assert run(cluster).returncode == 0
    assert [one.read_bytes() for one in kept(tmp_path / "wal")] == [whole]


def test_what_a_killed_process_left_is_in_nobodys_way(cluster, tmp_path) -> None:
    folder = tmp_path / "wal" / str(SYSTEM) / NAME[:16]
    folder.mkdir(parents=True)
    (folder / f".{NAME}.draft").write_bytes(b"half")

    assert run(cluster).returncode == 0
    assert len(kept(tmp_path / "wal")) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (segment(system=5), "another cluster"),
        (segment("000000010000000000000004"), "another segment"),
        (segment(timeline=2), "timeline 2"),
        (segment()[:-1], "bytes"),
        (b"", "shorter"),
    ],
)
def test_what_is_not_the_segment_of_its_name_is_refused(cluster, tmp_path, content, told) -> None:
    (cluster / "pg_wal" / NAME).write_bytes(content)

    done = run(cluster)

    assert (done.returncode, told in done.stderr) == (1, True), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not kept(tmp_path / "wal")


def test_a_first_segment_after_a_fork_begins_as_the_older_one(tmp_path) -> None:
    name = f"00000002{NAME[8:]}"
    (tmp_path / name).write_bytes(segment(timeline=1))

    assert keep(tmp_path / name, name, to=tmp_path / "wal", system=SYSTEM).exists()


@pytest.mark.parametrize("name", ["00000002.history", f"{NAME}.00000028.backup", f"{NAME}.partial"])
def test_what_else_postgresql_archives_is_kept_too(cluster, tmp_path, name) -> None:
    (cluster / "pg_wal" / name).write_bytes(segment())

    assert run(cluster, name).returncode == 0
    assert KEPT.fullmatch(kept(tmp_path / "wal")[0].name)["name"] == name


def test_a_name_that_leads_elsewhere_is_refused(tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RefusedError, match="is not the name"):
        keep(tmp_path / "file", "../../file", to=tmp_path / "wal", system=SYSTEM)


def test_what_is_encrypted_is_known_by_its_content(cluster, tmp_path) -> None:
    identity = pyrage.x25519.Identity.generate()
    options = ["--key", str(identity.to_public()), "--library", str(Path(pyrage.__file__).parent.parent)]

    assert [run(cluster, NAME, *options).returncode for _ in range(2)] == [0, 0]

    (path,) = kept(tmp_path / "wal")
    assert path.suffix == ".age"
    assert zlib.decompress(pyrage.decrypt(path.read_bytes(), [identity]), 31) == segment()


def test_a_folder_that_cannot_be_written_fails_with_one_line(cluster, tmp_path) -> None:
    (tmp_path / "wal").write_text("a file in its place")

    done = run(cluster)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
