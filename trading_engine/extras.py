"""Packages that only some installations have."""

from __future__ import annotations

import importlib
from types import ModuleType

from friren.errors import ConfigurationError

__all__ = ["require_extra"]


def require_extra(module: str, *, extra: str, wanted_by: str) -> ModuleType:
    """
    Import a module of an optional dependency when it is first needed, and not before.

    Args:
        module: full name of what to import.
        extra: the extra of Friren that brings it.
        wanted_by: what cannot work without it, as the message shall call it.

    Raises:
        ConfigurationError: it is not installed, or cannot be loaded here; says which extra to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        package = module.partition(".")[0]
        raise ConfigurationError(f"{wanted_by} needs {package} ({exc}): install the extra friren[{extra}]") from exc
