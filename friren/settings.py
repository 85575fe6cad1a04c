"""Django's settings: one file, driven by the environment (see `.env.example`), without secrets."""

from __future__ import annotations

import os
from pathlib import Path

from friren import home
from friren.database_config import EMBEDDED_ENGINE, get_database_config, hosts, is_loopback
from friren.embedded.location import locate
from friren.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
home.read_env_file()
env = Environment(os.environ)

FRIREN_HOME = home.friren_home(env)
DEBUG = env.flag("DEBUG", default=False)

DATABASES = get_database_config(os.environ)
FRIREN_EMBEDDED = DATABASES["default"]["ENGINE"] == EMBEDDED_ENGINE
FRIREN_EMBEDDED_AUTOSTART = env.flag("FRIREN_EMBEDDED_AUTOSTART", default=True)
FRIREN_EMBEDDED_BIN = Path(env.text("FRIREN_EMBEDDED_BIN")) if env.text("FRIREN_EMBEDDED_BIN") else None
if FRIREN_EMBEDDED:
    DATABASES["default"]["HOST"] = str(locate(FRIREN_HOME).socket_directory)

SECRET_KEY = home.secret_key(env, FRIREN_HOME, may_generate=all(map(is_loopback, hosts(DATABASES["default"]))))
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", default=("localhost", "127.0.0.1", "[::1]"))

INSTALLED_APPS = [
    "friren.core",
    "friren.operations",
    "trading_engine",
    "portfolio_manager",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "pgtrigger",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "friren.urls"
# Commands and web servers configure logging; a bot that only calls friren.setup() keeps its own.
LOGGING_CONFIG = None

WSGI_APPLICATION = "friren.wsgi.application"
ASGI_APPLICATION = "friren.asgi.application"

AUTH_USER_MODEL = "core.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATIC_ROOT = FRIREN_HOME / "static"
