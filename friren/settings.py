"""Django's settings: one file, driven by the environment (see `.env.example`), without secrets."""

from __future__ import annotations

import os
from pathlib import Path

from friren import home
from friren.database_config import EMBEDDED_ENGINE, get_database_config, hosts, is_loopback
from friren.embedded.location import locate
from friren.environment import Environment

home.read_env_file()
env = Environment(os.environ)

FRIREN_HOME = home.friren_home(env)
FRIREN_AUDIT_HOME = (
    Path(env.text("FRIREN_AUDIT_HOME")).expanduser().absolute()
    if env.text("FRIREN_AUDIT_HOME")
    else (FRIREN_HOME / "audit")
)
DEBUG = env.flag("DEBUG", default=False)

DATABASES = get_database_config(os.environ)
FRIREN_EMBEDDED = DATABASES["default"]["ENGINE"] == EMBEDDED_ENGINE
FRIREN_EMBEDDED_AUTOSTART = env.flag("FRIREN_EMBEDDED_AUTOSTART", default=True)
FRIREN_EMBEDDED_BIN = Path(env.text("FRIREN_EMBEDDED_BIN")) if env.text("FRIREN_EMBEDDED_BIN") else None
# The archive of WAL, from which any moment can be restored. The embedded server keeps one when it is asked to.
FRIREN_WAL_ARCHIVE = env.flag("FRIREN_WAL_ARCHIVE", default=False)
BACKUP_WAL_DIR = (
    Path(env.text("BACKUP_WAL_DIR")).expanduser().absolute() if env.text("BACKUP_WAL_DIR") else FRIREN_HOME / "wal"
)
BACKUP_WAL_KEYS = env.items("BACKUP_ENCRYPTION_KEY")
# What a disaster may cost at most while little is written: a segment that is not full is kept after so long.
BACKUP_WAL_SECONDS = env.integer("BACKUP_WAL_SECONDS", default=60, minimum=1, maximum=86_400)
if FRIREN_EMBEDDED:
    DATABASES["default"]["HOST"] = str(locate(FRIREN_HOME).socket_directory)

SECRET_KEY = home.secret_key(env, FRIREN_HOME, may_generate=all(map(is_loopback, hosts(DATABASES["default"]))))
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", default=("localhost", "127.0.0.1", "[::1]"))

INSTALLED_APPS = [
    "friren.core",
    "friren.persistence",
    "friren.operations",
    "friren.operations.jobs",
    "trading_engine",
    "portfolio_manager",
    "friren.operations.admin_site.FrirenAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "pgtrigger",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
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

# WhiteNoise serves the files of the admin from where they are installed, so that nothing has to be collected
# first; STATIC_ROOT is for who wants `collectstatic` for a web server of their own.
STATIC_URL = "static/"
STATIC_ROOT = env.text("STATIC_ROOT") or None
WHITENOISE_USE_FINDERS = True

# No page has a script or style of its own, and nothing is loaded from elsewhere.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# Who sends it as a bearer token is told what staff is told of health and metrics.
MONITORING_TOKEN = env.text("MONITORING_TOKEN")

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Plain HTTP only as long as nobody but this machine is served.
HTTPS = env.flag("FRIREN_HTTPS", default=not all(map(is_loopback, (host.strip("[]") for host in ALLOWED_HOSTS))))
SECURE_SSL_REDIRECT = HTTPS
# Load balancers ask by plain HTTP, and are told no more than whether all is well.
SECURE_REDIRECT_EXEMPT = [r"^(health|live)/$", r"^db/health$", r"^trading/status$"]
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
CSRF_TRUSTED_ORIGINS = env.items("CSRF_TRUSTED_ORIGINS")
if env.flag("FRIREN_BEHIND_PROXY", default=False):
    # Only behind a proxy that sets the header itself: anyone else could claim to have come by HTTPS.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
