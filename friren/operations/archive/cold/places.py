"""Where months lie as files: a folder, or a bucket of Amazon S3 or of anything that speaks its protocol."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from friren.errors import ArchiveError, ConfigurationError, shown
from friren.operations.connectivity import one_line
from friren.persistence.journal.files import FILES

__all__ = ["Bucket", "Folder", "Place", "open_place", "sha256_of"]

_URL: Final = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/(?P<prefix>.*))?")


class Place(Protocol):
    """Files by name, with slashes. Every method raises ArchiveError when the place refuses."""

    name: str

    def put(self, source: Path, name: str) -> None:
        """Keep a copy of a file, whole or not at all, such that a power cut does not undo it. Replaces nothing."""

    def get(self, name: str, target: Path) -> None:
        """Fetch a file."""

    def names(self, under: str) -> list[str]:
        """Return the names that begin with `under`, sorted."""

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is no error."""


def open_place(text: str) -> Place:
    """
    Return the place that an operator names: a folder, or s3://bucket/prefix.

    Raises:
        ConfigurationError: a bucket is named wrongly, or boto3 is not installed.
    """
    return Bucket(text) if text.startswith("s3:") else Folder(Path(text).expanduser().absolute())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Folder:
    """A folder on this machine, or a share that is mounted."""

    def __init__(self, directory: Path) -> None:
        self.name, self._directory = str(directory), directory

    def put(self, source: Path, name: str) -> None:
        """See `Place`."""
        target = self._directory / name
        with self._told():
            FILES.make_directory(target.parent)
            if target.exists():
                raise ArchiveError(f"{target} is there already, and is not replaced")
            draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
            shutil.copyfile(source, draft)
            handle = os.open(draft, os.O_RDWR)
            if (refusal := FILES.sync_and_close(handle)) is not None:
                raise refusal
            FILES.rename(draft, target)
            FILES.sync_directory(target.parent)

    def get(self, name: str, target: Path) -> None:
        """See `Place`."""
        with self._told():
            shutil.copyfile(self._directory / name, target)

    def names(self, under: str) -> list[str]:
        """See `Place`."""
        with self._told():
            found = (path.relative_to(self._directory) for path in self._directory.rglob("*") if path.is_file())
            return sorted(name for name in (path.as_posix() for path in found) if name.startswith(under))

    def remove(self, name: str) -> None:
        """See `Place`."""
        with self._told():
            folder = (self._directory / name).parent
            FILES.unlink(self._directory / name)
            if folder.is_dir():
                FILES.sync_directory(folder)
        with contextlib.suppress(OSError):  # there is more in it
            folder.rmdir()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise ArchiveError(f"{self.name}: {one_line(exc)}") from exc


class Bucket:
    """A bucket, or what lies below a prefix in it. Needs the extra `friren[s3]`; boto3 finds its own credentials."""

    def __init__(self, url: str) -> None:
        match = _URL.fullmatch(url)
        if match is None:
            raise ConfigurationError(f"--cold {shown(url)}: write s3://bucket or s3://bucket/prefix")
        try:
            import boto3
        except ImportError as exc:
            raise ConfigurationError(f"--cold {url} needs the extra friren[s3]: install boto3") from exc
        prefix = (match["prefix"] or "").strip("/")
        self.name = url.rstrip("/")
        self._bucket, self._prefix = match["bucket"], f"{prefix}/" if prefix else ""
        with self._told():
            self._client: Any = boto3.client("s3")

    def put(self, source: Path, name: str) -> None:
        """See `Place`. Every part carries its SHA-256, and S3 refuses what does not match."""
        if name in self.names(name):
            raise ArchiveError(f"{self.name}/{name} is there already, and is not replaced")
        with self._told():
            self._client.upload_file(
                str(source), self._bucket, self._prefix + name, ExtraArgs={"ChecksumAlgorithm": "SHA256"}
            )

    def get(self, name: str, target: Path) -> None:
        """See `Place`."""
        with self._told():
            self._client.download_file(self._bucket, self._prefix + name, str(target))

    def names(self, under: str) -> list[str]:
        """See `Place`."""
        with self._told():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + under
            )
            entries = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return sorted(str(key).removeprefix(self._prefix) for key in entries)

    def remove(self, name: str) -> None:
        """See `Place`."""
        with self._told():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, Boto3Error, ClientError, OSError) as exc:
            raise ArchiveError(f"{self.name}: {one_line(exc)}") from exc
