"""`python -m tests.recovery [--moments N] [--places N]`: restore to random moments, damage files, kill; see it told."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

SEED = 20261120


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run everything on a server of its own; the exit status is 1 when something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.recovery", description=__doc__)
    parser.add_argument("--moments", type=int, default=20, help="how many are restored; 20 unless given")
    parser.add_argument("--places", type=int, default=100, help="bits that are flipped in each kind of file")
    parser.add_argument("--seconds", type=float, default=20.0, help="in which the writer writes")
    parser.add_argument("--encrypt", action="store_true", help="encrypt backups and WAL")
    parser.add_argument("--no-kills", action="store_true", help="kill nothing")
    parser.add_argument("--seed", type=int, default=SEED, help="of every random choice")
    options = parser.parse_args()
    import tests.postgres  # noqa: F401 - the environment of a test, before Django reads its settings

    os.environ.pop("BACKUP_DIR", None)
    import django

    django.setup()
    from pyrage import x25519

    from tests.archived import archiving_server, connected

    identity = x25519.Identity.generate()
    keys = (str(identity.to_public()),) if options.encrypt else ()
    with (
        tempfile.TemporaryDirectory() as folder,
        archiving_server(keys=keys) as archiving,
        connected(archiving, durable=True),
    ):
        key_file = Path(folder) / "backup.key"
        key_file.write_text(f"{identity}\n")
        wrong = experiments(archiving, options, key_file if keys else None)
    for line in wrong:
        tell(f"WRONG: {line}")
    return int(bool(wrong))


def experiments(archiving, options: argparse.Namespace, key_file: Path | None) -> list[str]:
    """Make the world and do all that was asked for in it."""
    from friren.operations.health.wal import check_wal
    from tests.recovery.damage import damage
    from tests.recovery.ground import make_world
    from tests.recovery.kills import MAKING, REMOVING, RESTORING, kill_making, kill_removing, kill_restoring
    from tests.recovery.moments import restore_moments
    from tests.recovery.swaps import swaps

    world = make_world(
        archiving, moments=options.moments - 1, seed=options.seed, seconds=options.seconds, key_file=key_file
    )
    finding = check_wal()
    tell(
        f"{len(world.moments)} moments in {options.seconds:.0f} s, {len(archiving.segments())} segments; "
        f"{finding.message}"
    )
    wrong, seconds = restore_moments(world, len(world.moments), options.seed)
    tell(
        f"{len(world.moments)} moments restored, {len(wrong)} not exact; {statistics.median(seconds):.1f} s each "
        f"(median; {max(seconds):.1f} s at most), with all rows read"
    )
    faults, tried = damage(world, options.places, options.seed)
    faults += swaps(world)
    tell(f"damage: {tried}, and files swapped, missing and of others: {len(faults)} not found or not named")
    wrong += faults
    if not options.no_kills:
        kills = kill_restoring(world) + kill_making(world) + kill_removing(world)
        steps = f"{len(RESTORING)} steps of restoring, {len(MAKING)} of making a base, {len(REMOVING)} of removing"
        tell(f"killed at {steps}: {len(kills)} wrong")
        wrong += kills
    return wrong


if __name__ == "__main__":
    sys.exit(main())
