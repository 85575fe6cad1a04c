"""
The fault laboratory: processes killed, networks cut, disks that lie, and what is left of what was promised.

    python -m tests.faults              every experiment at full size, one after another
    python -m tests.faults kills        one of them; `--help` names them all
    python -m tests.faults.mutants      wrong variants of the write path, each of which must be caught

pytest runs the same experiments at a size that CI can bear. docs/explanation/durability.md has the figures.
"""
