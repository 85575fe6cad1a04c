"""The first person who may look at the admin, made once."""

from __future__ import annotations

import secrets
from typing import Final

from django.db import IntegrityError

from friren.core.models import User

__all__ = ["FIRST_STAFF_USERNAME", "make_first_staff_user"]

FIRST_STAFF_USERNAME: Final = "admin"
# 16 bytes of randomness: more than any password a person would choose.
PASSWORD_BYTES: Final = 16


def make_first_staff_user() -> str | None:
    """
    Make a staff user where there is none yet.

    Returns:
        Its password, which is stored nowhere and cannot be asked for again; None when there is staff already.
    """
    if User.objects.filter(is_staff=True).exists() or User.objects.filter(username=FIRST_STAFF_USERNAME).exists():
        return None
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    try:
        User.objects.create_superuser(username=FIRST_STAFF_USERNAME, password=password)
    except IntegrityError:
        # Another process made it a moment ago, and told its password to somebody else.
        return None
    return password
