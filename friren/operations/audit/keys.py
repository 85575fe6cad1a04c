"""
The key that blocks are signed with, and the public keys that they are verified by.

Ed25519 (RFC 8032). `key.pem` below the audit's folder is made at first use, for its owner alone; whoever has the
database and not this file can forge no block. `keys/` holds the public half of every key that was ever used here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from friren.errors import ConfigurationError
from friren.persistence.journal.files import FILES

__all__ = ["KeyRing", "SigningKey", "renewed_key", "signing_key"]

KEY_FILE: Final = "key.pem"
PUBLIC_FOLDER: Final = "keys"


class SigningKey:
    """
    A private key.

    Attributes:
        id: SHA-256 of its public half, in hexadecimal.
        public: its public half as PEM.
    """

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.id = _id_of(private.public_key())
        self.public = _pem_of(private.public_key())

    def sign(self, content: bytes) -> bytes:
        """Return the 64 bytes of the signature of `content`."""
        return self._private.sign(content)


class KeyRing:
    """Public keys that are trusted, by id."""

    def __init__(self, keys: Iterable[Ed25519PublicKey] = ()) -> None:
        self._keys = {_id_of(key): key for key in keys}

    @classmethod
    def of_folder(cls, folder: Path) -> Self:
        """Return the keys that were used on this machine. Raises ConfigurationError."""
        return cls.of_files(sorted((folder / PUBLIC_FOLDER).glob("*.pem")))

    @classmethod
    def of_files(cls, paths: Iterable[Path]) -> Self:
        """Return the keys of PEM files. Raises ConfigurationError."""
        return cls(_public(_content(path), path) for path in paths)

    def add(self, pem: str) -> None:
        """Trust one more key. Raises ConfigurationError."""
        key = _public(pem.encode(), None)
        self._keys[_id_of(key)] = key

    def holds(self, *, key_id: str, signature: str, content: bytes) -> bool:
        """Return whether `signature`, in hexadecimal, is that of `content` by the key `key_id`, which is trusted."""
        key = self._keys.get(key_id)
        if key is None:
            return False
        try:
            key.verify(bytes.fromhex(signature), content)
        except (InvalidSignature, ValueError):
            return False
        return True

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._keys


def signing_key(folder: Path) -> SigningKey:
    """
    Return the key of this installation, made when there is none.

    Raises:
        ConfigurationError: it cannot be read or made.
    """
    path = folder / KEY_FILE
    with _told(folder):
        FILES.make_directory(folder)
        if path.exists():
            return SigningKey(_private(FILES.open_to_read(path), path))
        return _made(folder, lambda _key: None)


def renewed_key(folder: Path, announce: Callable[[SigningKey], None]) -> SigningKey:
    """
    Return a new key in place of the one there is.

    Args:
        announce: called before the old one is forgotten; a key that was announced and never used does no harm.

    Raises:
        ConfigurationError: it cannot be made.
    """
    with _told(folder):
        return _made(folder, announce)


def _made(folder: Path, announce: Callable[[SigningKey], None]) -> SigningKey:
    """Make a key. Its public half is on the disk before it is used: no block is signed by a key nobody knows."""
    private = Ed25519PrivateKey.generate()
    key = SigningKey(private)
    FILES.make_directory(folder / PUBLIC_FOLDER)
    FILES.write_whole(folder / PUBLIC_FOLDER / f"{key.id}.pem", key.public.encode())
    announce(key)
    FILES.write_whole(folder / KEY_FILE, _private_pem(private))
    return key


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ConfigurationError(f"the audit's key in {folder} cannot be used: {exc.strerror}") from exc


def _private(handle: int, path: Path) -> Ed25519PrivateKey:
    with open(handle, "rb") as file:
        content = file.read()
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise ConfigurationError(f"{path} is no private key: {exc}") from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path} is no Ed25519 key")
    return key


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public(content: bytes, path: Path | None) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise ConfigurationError(f"{path or 'what is given'} is no public key: {exc}") from exc
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"{path or 'what is given'} is no Ed25519 key")
    return key


def _pem_of(key: Ed25519PublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _id_of(key: Ed25519PublicKey) -> str:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be read: {exc.strerror}") from exc
