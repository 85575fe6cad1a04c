"""
Copies of backups in a bucket of Amazon S3, or of anything that speaks its protocol.

Credentials, region and endpoint are boto3's own: AWS_ACCESS_KEY_ID, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, a profile,
or the role of the machine. Needs the extra `friren[s3]`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from friren.errors import BackupError, ConfigurationError, shown
from friren.operations.backup.manifest import SUMS
from friren.operations.backup.shelf import is_name
from friren.operations.connectivity import one_line

__all__ = ["Bucket"]

_URL: Final = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/(?P<prefix>.*))?")
# Parts of a large dump: S3 takes 10,000 of them, so this reaches 625 GiB.
_PARTS: Final = TransferConfig(multipart_threshold=64 * 1024 * 1024, multipart_chunksize=64 * 1024 * 1024)


class Bucket:
    """A bucket, or what lies below a prefix in it."""

    def __init__(self, url: str) -> None:
        match = _URL.fullmatch(url)
        if match is None:
            raise ConfigurationError(f"BACKUP_S3_URL={shown(url)}: write s3://bucket or s3://bucket/prefix")
        prefix = (match["prefix"] or "").strip("/")
        self.name = url
        self._bucket = match["bucket"]
        self._prefix = f"{prefix}/" if prefix else ""
        with self._told():
            self._client: Any = boto3.client("s3")

    def ids(self) -> list[str]:
        """See `Elsewhere`."""
        parts = (key.partition("/") for key in self.files(""))
        return sorted(name for name, _, file in parts if file == SUMS and is_name(name))

    def put(self, folder: Path, names: Iterable[str]) -> None:
        """See `Elsewhere`. Every part carries its SHA-256, and S3 refuses what does not match."""
        for name in names:
            key = self._key(folder.name, name)
            with self._told():
                self._client.upload_file(
                    str(folder / name), self._bucket, key, ExtraArgs={"ChecksumAlgorithm": "SHA256"}, Config=_PARTS
                )
                there = self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
            if there != (folder / name).stat().st_size:
                raise BackupError(f"{self.name}: {key} has {there} bytes there and other ones here")

    def get(self, backup: str, name: str, target: Path) -> None:
        """See `Elsewhere`."""
        with self._told():
            self._client.download_file(self._bucket, self._key(backup, name), str(target), Config=_PARTS)

    def remove(self, backup: str) -> None:
        """See `Elsewhere`."""
        with self._told():
            # First what makes it a backup: one that is half removed is none.
            self._client.delete_object(Bucket=self._bucket, Key=self._key(backup, SUMS))
            found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._key(backup, ""))
            for entry in found.get("Contents", []):
                self._client.delete_object(Bucket=self._bucket, Key=entry["Key"])

    def files(self, below: str) -> set[str]:
        """See `Elsewhere`."""
        prefix = self._prefix + (f"{below}/" if below else "")
        with self._told():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return {entry["Key"].removeprefix(self._prefix) for page in pages for entry in page.get("Contents", [])}

    def put_file(self, content: bytes, key: str) -> None:
        """See `Elsewhere`. It carries its SHA-256, and S3 refuses what does not match."""
        with self._told():
            self._client.put_object(
                Bucket=self._bucket, Key=self._prefix + key, Body=content, ChecksumAlgorithm="SHA256"
            )

    def read_file(self, key: str) -> bytes:
        """See `Elsewhere`."""
        with self._told():
            found: bytes = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read()
        return found

    def remove_file(self, key: str) -> None:
        """See `Elsewhere`."""
        with self._told():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def _key(self, backup: str, name: str) -> str:
        return f"{self._prefix}{backup}/{name}"

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, Boto3Error, ClientError, OSError) as exc:
            raise BackupError(f"{self.name}: {one_line(exc)}") from exc
