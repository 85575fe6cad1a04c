"""What MkDocs does not do by itself: find the pages beside its configuration, and take in two files from above."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

__all__ = ["on_config", "on_files"]

PAGES = Path(__file__).resolve().parent.parent
ROOT = PAGES.parent

SETTINGS = """\
# Settings

Every variable that Friren reads, as `.env.example` has them: copy that file to `.env` and uncomment what you want to
change. What is set in the process's own environment wins. After `#NAME=` stands the default, or an example of one.

```sh
{example}```
"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the pages from this folder's parent, which MkDocs does not allow to be told so."""
    config.docs_dir = str(PAGES)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the changelog and the settings, and list every page."""
    files.append(File.generated(config, "changelog.md", abs_src_path=str(ROOT / "CHANGELOG.md")))
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    files.append(File.generated(config, "reference/settings.md", content=SETTINGS.format(example=example)))
    pages = sorted(page.src_uri for page in files.documentation_pages())
    for section in config.nav or ():
        _complete(section, pages)
    return files


def _complete(section: Any, pages: list[str]) -> None:
    """Add to a section the pages of its folder that it does not list: a page that is new need not be listed."""
    if not isinstance(section, dict):
        return
    for listed in section.values():
        folder = listed[0].partition("/")[0]
        listed.extend(page for page in pages if page.startswith(f"{folder}/") and page not in listed)
