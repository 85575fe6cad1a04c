"""
Encryption with age, for public keys: the machine that makes backups cannot read them.

    age-keygen -o backup.key            # keep it elsewhere; BACKUP_DECRYPTION_KEY_FILE names it where it is needed
    BACKUP_ENCRYPTION_KEY=age1…         # the public key it prints

Files are of the age format (age-encryption.org/v1), so any `age` decrypts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final, Protocol

import pyrage
from pyrage import x25519

from friren.errors import BackupError, ConfigurationError, shown

__all__ = ["Sink", "Source", "check_keys", "decrypt", "encrypt", "read_identities"]

_SECRET: Final = "AGE-SECRET-KEY-"  # noqa: S105 - how age marks one


class Source(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""


class Sink(Protocol):
    """What bytes are written to."""

    def write(self, data: bytes, /) -> int:
        """Take all of `data`."""

    def flush(self) -> None:
        """Hand on what is held."""


def check_keys(keys: Sequence[str]) -> list[x25519.Recipient]:
    """Return public keys as age knows them. Raises ConfigurationError: one is none."""
    found = []
    for key in keys:
        if key.upper().startswith(_SECRET):
            raise ConfigurationError("BACKUP_ENCRYPTION_KEY holds a private key: write the public one, age1…")
        try:
            found.append(x25519.Recipient.from_str(key))
        except pyrage.RecipientError as exc:
            raise ConfigurationError(f"BACKUP_ENCRYPTION_KEY={shown(key)}: write age public keys, age1…") from exc
    return found


def read_identities(path: Path | None) -> list[x25519.Identity]:
    """
    Return the private keys of a file as `age-keygen` writes it.

    Raises:
        ConfigurationError: no file is named, it cannot be read, or there is no key in it.
    """
    if path is None:
        raise ConfigurationError("the backup is encrypted: BACKUP_DECRYPTION_KEY_FILE or --key-file names its key")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
        found = [x25519.Identity.from_str(line) for line in lines if line.startswith(_SECRET)]
    except OSError as exc:
        raise ConfigurationError(f"the key file {path} cannot be read: {exc.strerror}") from exc
    except pyrage.IdentityError:
        raise ConfigurationError(f"the key file {path} holds a private key that is damaged") from None
    if not found:
        raise ConfigurationError(f"the key file {path} holds no age private key (a line {_SECRET}…)")
    return found


def encrypt(source: Source, target: Sink, keys: Sequence[x25519.Recipient]) -> None:
    """Encrypt a stream in constant memory."""
    pyrage.encrypt_io(source, target, list(keys))


def decrypt(source: IO[bytes], target: Sink, identities: Sequence[x25519.Identity]) -> None:
    """
    Decrypt a stream in constant memory; every 64 KiB are authenticated before they are handed on.

    Raises:
        BackupError: the key is another one, or the stream was changed or cut off.
    """
    try:
        pyrage.decrypt_io(source, target, list(identities))
    except pyrage.DecryptError as exc:
        raise BackupError(f"the backup cannot be decrypted: {exc}") from exc
