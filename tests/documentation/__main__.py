"""`python -m tests.documentation [--slow] [PAGE…]`: run the shell lines of the pages, and list what is not run."""

from __future__ import annotations

import argparse
import sys

from tests.documentation.pages import pages
from tests.documentation.runner import Reader


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.documentation", description=__doc__)
    parser.add_argument("page", nargs="*", help="Part of a page's path; all pages unless given.")
    parser.add_argument("--slow", action="store_true", help="Also what is marked as slow.")
    options = parser.parse_args()
    with Reader(slow=options.slow) as reader:
        for page in pages():
            if not options.page or any(part in page.name for part in options.page):
                reader.read(page)
    told = reader.told
    lines = [f"not run  {one}" for one in told.marked] + [f"FAILED   {one}" for one in told.failures]
    lines.append(f"{told.run} lines run, {len(told.marked)} marked, {len(told.failures)} failed")
    sys.stdout.write("\n".join(lines) + "\n")
    return bool(told.failures)


if __name__ == "__main__":
    sys.exit(main())
