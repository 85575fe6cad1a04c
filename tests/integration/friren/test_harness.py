"""The harness itself: what a test commits is gone for the next one, what migrations seeded stays."""

from __future__ import annotations

import pytest
from django.contrib.contenttypes.models import ContentType

from friren.core.models import SystemMetadata, User

NAME = "left by another test"


@pytest.mark.parametrize("_turn", [1, 2])
def test_starts_from_the_seeds_alone(_turn) -> None:
    assert [user.username for user in User.objects.all()] == ["system"]
    assert not SystemMetadata.objects.filter(key=NAME).exists()
    assert ContentType.objects.exists()

    User.objects.create(username=NAME)
    SystemMetadata.objects.create(key=NAME, value="1")
    User.objects.filter(username="system").update(first_name="changed")


def test_restores_a_changed_seed() -> None:
    assert User.objects.get(username="system").first_name == ""
