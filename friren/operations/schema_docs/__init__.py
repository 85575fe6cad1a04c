"""
The page of the tables, made of the models and migrations alone: no database is asked, so none has to be there.

    text = schema_page()                      # what docs/reference/schema.md should say
    first_difference(text, written)           # None when the page is what the models say
"""

from __future__ import annotations

from friren.operations.schema_docs.page import first_difference, page_path, schema_page

__all__ = ["first_difference", "page_path", "schema_page"]
