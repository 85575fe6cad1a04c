"""FRIREN_HOME and the secret key."""

from __future__ import annotations

import concurrent.futures
import stat

import pytest

from friren import home
from friren.environment import Environment
from friren.errors import ConfigurationError


class TestHome:
    def test_is_var_beside_manage_py_in_a_checkout(self) -> None:
        assert home.friren_home(Environment({})) == home.checkout() / "var"

    def test_is_the_users_data_directory_when_installed(self, monkeypatch, tmp_path) -> None:
        monkeypatch.setattr(home, "_PACKAGE_PARENT", tmp_path)
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

        assert home.friren_home(Environment({})).name == "friren"
        assert home.checkout() is None

    def test_is_made_absolute(self) -> None:
        assert home.friren_home(Environment({"FRIREN_HOME": "relative"})).is_absolute()
        assert "~" not in str(home.friren_home(Environment({"FRIREN_HOME": "~/friren"})))


class TestSecretKey:
    def test_comes_from_the_environment(self, tmp_path) -> None:
        assert home.secret_key(Environment({"SECRET_KEY": "given"}), tmp_path, may_generate=False) == "given"
        assert list(tmp_path.iterdir()) == []

    def test_is_made_once_and_kept_private(self, tmp_path) -> None:
        folder = tmp_path / "new" / "home"
        key = home.secret_key(Environment({}), folder, may_generate=True)

        assert len(key) >= 50
        assert home.secret_key(Environment({}), folder, may_generate=True) == key
        assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600
        assert [path.name for path in folder.iterdir()] == ["secret_key"]

    def test_is_the_same_for_all_who_race_for_it(self, tmp_path) -> None:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            keys = pool.map(lambda _: home.secret_key(Environment({}), tmp_path, may_generate=True), range(64))

        assert len(set(keys)) == 1

    def test_is_demanded_where_several_machines_share_a_database(self, tmp_path) -> None:
        with pytest.raises(ConfigurationError, match="SECRET_KEY is missing"):
            home.secret_key(Environment({}), tmp_path, may_generate=False)

    def test_says_where_it_cannot_be_kept(self, tmp_path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(ConfigurationError, match="secret_key cannot be used"):
            home.secret_key(Environment({}), tmp_path / "file", may_generate=True)

    def test_is_never_empty(self, tmp_path) -> None:
        (tmp_path / "secret_key").touch()

        with pytest.raises(ConfigurationError, match="is empty"):
            home.secret_key(Environment({}), tmp_path, may_generate=True)
