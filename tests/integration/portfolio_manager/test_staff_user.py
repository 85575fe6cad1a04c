"""The first staff user: made once, able to log in, its password told and not kept."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate

from friren.core.models import User
from portfolio_manager.staff_user import make_first_staff_user

pytestmark = pytest.mark.usefixtures("database")


def test_the_password_that_is_told_opens_the_admin():
    password = make_first_staff_user()

    user = authenticate(username="admin", password=password)
    assert user.is_staff
    assert user.is_superuser
    assert password not in user.password


def test_it_is_made_once():
    make_first_staff_user()

    assert make_first_staff_user() is None
    assert User.objects.filter(is_staff=True).count() == 1


def test_it_is_not_made_where_there_is_staff_or_the_name_is_taken():
    User.objects.create_user(username="admin", password="x")
    assert make_first_staff_user() is None

    User.objects.filter(username="admin").delete()
    User.objects.create_user(username="someone", password="x", is_staff=True)
    assert make_first_staff_user() is None
