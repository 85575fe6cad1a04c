"""Trained models on this machine's disk, by name and version, with the digest of each."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import tempfile
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from friren.core.ids import natural_id
from friren.environment import Environment
from friren.errors import ConfigurationError, RejectedRecordError
from friren.home import friren_home
from trading_engine.learning.booster import Booster
from trading_engine.learning.features import FEATURES

__all__ = [
    "ModelVersion",
    "TrainedModel",
    "check_model_id",
    "load_model",
    "model_shelf",
    "prediction_id",
    "save_model",
    "version_name",
]

MODEL_ID_MAX: Final = 50
_MODEL_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MANIFEST: Final = "model.json"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One fit: its name, when it was made (aware UTC), and the model."""

    version: str
    fitted_at: dt.datetime
    booster: Booster


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """
    A model and its versions, oldest first.

    Attributes:
        horizon: bars from entry to exit of what it foretells.
    """

    model_id: str
    horizon: int
    versions: Sequence[ModelVersion]

    def version_at(self, moment: dt.datetime) -> ModelVersion | None:
        """Return the newest version fitted at or before a moment: never one that knows what came later."""
        index = bisect_right([each.fitted_at for each in self.versions], moment)
        return self.versions[index - 1] if index else None


def model_shelf() -> Path:
    """Return where models lie unless told otherwise: `models` in FRIREN_HOME."""
    return friren_home(Environment(os.environ)) / "models"


def prediction_id(model_id: str, version: str, symbol: str, timestamp: dt.datetime) -> UUID:
    """Return the id of what a version foretells of a symbol at a bar: the same for whoever asks it."""
    return natural_id("model_prediction", model_id, version, symbol, timestamp)


def check_model_id(model_id: str) -> str:
    """
    Return a name that is fit to be a folder's.

    Raises:
        RejectedRecordError: it is not.
    """
    if len(model_id) > MODEL_ID_MAX or not _MODEL_ID.fullmatch(model_id):
        raise RejectedRecordError(
            "model_id", model_id, f"1 to {MODEL_ID_MAX} letters, digits, dots, dashes, underscores"
        )
    return model_id


def version_name(fitted_at: dt.datetime, content: bytes) -> str:
    """Return the name of a version: when it was fitted, and the beginning of the SHA-256 of the model."""
    return f"{fitted_at:%Y%m%dT%H%M}-{hashlib.sha256(content).hexdigest()[:12]}"


def save_model(shelf: Path, model: TrainedModel) -> Path:
    """
    Write a model and its versions, in place of those there were; return its folder.

    The manifest is exchanged last and at once: whoever loads meanwhile gets the old model or the new one. For them,
    the files of versions that are no longer in it stay.
    """
    folder = shelf / check_model_id(model.model_id)
    folder.mkdir(parents=True, exist_ok=True)
    told = []
    for each in model.versions:
        name = f"{each.version}.ubj"
        _write(folder / name, each.booster.content)
        digest = hashlib.sha256(each.booster.content).hexdigest()
        told.append(asdict(_Entry(each.version, each.fitted_at.isoformat(), name, digest)))
    manifest = {"model_id": model.model_id, "horizon": model.horizon, "features": list(FEATURES), "versions": told}
    _write(folder / _MANIFEST, json.dumps(manifest, indent=1).encode())
    return folder


def load_model(shelf: Path, model_id: str) -> TrainedModel:
    """
    Return a model that was saved.

    Raises:
        RejectedRecordError: the name is none, or the model was made for other features.
        ConfigurationError: there is no such model, it is damaged, or the extra `ml` is not installed.
    """
    folder = shelf / check_model_id(model_id)
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        entries = [_Entry(**entry) for entry in manifest["versions"]]
        versions = [
            ModelVersion(entry.version, dt.datetime.fromisoformat(entry.fitted_at), Booster(_read(folder, entry)))
            for entry in entries
        ]
        return TrainedModel(manifest["model_id"], int(manifest["horizon"]), versions)
    except FileNotFoundError as exc:
        raise ConfigurationError(f"there is no model {model_id} in {shelf}: train_model makes one") from exc
    except (OSError, KeyError, TypeError, ValueError) as exc:
        raise ConfigurationError(f"the model in {folder} is damaged ({exc}): train it anew") from exc


@dataclass(frozen=True, slots=True)
class _Entry:
    version: str
    fitted_at: str
    file: str
    sha256: str


def _read(folder: Path, entry: _Entry) -> bytes:
    content = (folder / entry.file).read_bytes()
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise ValueError(f"{entry.file} is not what was saved")
    return content


def _write(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    Path(name).replace(path)
