"""The template's production settings, read from the environment. Extend in settings.py, yours.

`.env.example` lists every variable. DEBUG is off, and nothing secret has a default.
https://docs.djangoproject.com/en/6.1/howto/deployment/checklist/
"""

from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

BASE_DIR = Path(__file__).resolve().parent.parent
PROJECT_NAME = "Acme Shop"

env = environ.Env()

DEBUG = env.bool("DEBUG", default=False)
# Empty is refused by Django at first use; only a development server has a default.
SECRET_KEY = env.str("SECRET_KEY", default="insecure-development-key" if DEBUG else "")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# The sample app, until its folder is deleted. Other files ask whether it is installed.
_sample = (Path(__file__).parent / "orders" / "apps.py").is_file()

INSTALLED_APPS = [
    "acme_shop.devserver",  # First: its runserver speaks ASGI, so websockets work in development.
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "acme_shop.queueworker",  # Before the next: its worker survives a lost database.
    "procrastinate.contrib.django",
    "rest_framework",
    "adrf",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "acme_shop.users",
    *(["acme_shop.orders"] if _sample else []),
]
# Set before the first migration, since it cannot change later; the model can.
AUTH_USER_MODEL = "users.User"

MIDDLEWARE = [
    "acme_shop.middleware.request_id",  # First, so that every response has an id.
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "acme_shop.urls"
WSGI_APPLICATION = "acme_shop.wsgi.application"
ASGI_APPLICATION = "acme_shop.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db("DATABASE_URL")
    if env.str("DATABASE_URL", default="")
    # Without DATABASE_URL, development has a private PostgreSQL; production is refused.
    else {
        "ENGINE": "acme_shop.postgresql",
        "NAME": "postgres",
        "HOST": str(BASE_DIR / ".postgres" / "dev") if DEBUG else "",
    }
}
# Each request takes a connection from a pool and gives it back: so a crowd of visitors waits for
# those of this process, instead of using up the server's. README.md counts them.
if env.int("CONN_MAX_AGE", default=0):
    raise ImproperlyConfigured(
        "CONN_MAX_AGE keeps a connection for each thread, and an ASGI server has a new thread for "
        "each request: unset it. DATABASE_POOL_SIZE says how many each process keeps."
    )
_seconds = env.int("DATABASE_STATEMENT_TIMEOUT", default=30)
_connection: dict[str, Any] = {
    "connect_timeout": 5,  # Seconds.
    "tcp_user_timeout": 10_000,  # Milliseconds: a peer that acknowledges nothing is dead.
    "options": f"-c statement_timeout={_seconds}s",  # Cancels a longer query; 0: none.
}
if not DEBUG and (_size := env.int("DATABASE_POOL_SIZE", default=10)):
    # A request that gets no connection in time fails; so does nobody behind it.
    _connection["pool"] = {"min_size": 0, "max_size": _size, "timeout": 5}
if DATABASES["default"]["ENGINE"].endswith("postgresql"):  # DATABASE_URL may name another.
    DATABASES["default"]["OPTIONS"] = {**_connection, **DATABASES["default"].get("OPTIONS", {})}
    # After a restart of the server, those in the pool are dead.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# In this process's memory, unless CACHE_URL names one that all processes share.
CACHES = {"default": env.cache("CACHE_URL", default="locmemcache://")}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
MEDIA_URL = "media/"
MEDIA_ROOT = BASE_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "servestatic.storage.CompressedManifestStaticFilesStorage"
    },
}

_email = env.email("EMAIL_URL", default="consolemail://" if DEBUG else "smtp://localhost:25")
_options = ("host", "port", "use_tls", "use_ssl", "timeout", "file_path")
_names = {"username": "HOST_USER", "password": "HOST_PASSWORD"} | {
    option: option.upper() for option in _options
}
MAILERS = {
    "default": {
        "BACKEND": _email["EMAIL_BACKEND"],
        "OPTIONS": {
            option: _email[f"EMAIL_{name}"]
            for option, name in _names.items()
            if _email.get(f"EMAIL_{name}")
        },
    }
}
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="platform@example.com")

# HTTPS, as `check --deploy` asks; behind a proxy that ends TLS, name the header that it sets.
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
# Browsers ship a list of preloaded domains, which takes months to leave: so on request only.
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SECURE_REDIRECT_EXEMPT = ["^health/$", "^ready/$"]  # Probes speak plain HTTP.
if env.bool("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# What a page may load, and from where: this site alone; styles may stand in the page, too.
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}

# One JSON object a line on standard output, which is where a container's log belongs.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "acme_shop.logs.RequestId"}},
    "formatters": {
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s",
        },
        "plain": {
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
            "datefmt": "%H:%M:%S",
        },
    },
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "plain" if DEBUG else "json",
            "filters": ["request_id"],
        }
    },
    "root": {"handlers": ["stdout"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "uvicorn": {"handlers": [], "propagate": True},
        "uvicorn.access": {"handlers": [], "propagate": True},
        "procrastinate.blueprints": {"level": "WARNING"},  # It tells each command of its tasks.
    },
}

# True in tests: saving an object then enqueues no background work. Read at call time.
DISABLE_AUTO_WORKER_SPAWN = env.bool("DISABLE_AUTO_WORKER_SPAWN", default=False)

# https://docs.celeryq.dev/en/stable/userguide/configuration.html
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="redis://127.0.0.1:6379/0")
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# A task of a killed worker is delivered again, so tasks must be idempotent.
CELERY_TASK_ACKS_LATE = CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Seconds: SoftTimeLimitExceeded is raised in the task, then its process is killed.
CELERY_TASK_SOFT_TIME_LIMIT = env.int("CELERY_TASK_SOFT_TIME_LIMIT", default=240)
CELERY_TASK_TIME_LIMIT = env.int("CELERY_TASK_TIME_LIMIT", default=300)
# A web request fails after a few seconds when the broker is down, not after many.
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.2}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Redis gives an unfinished task to another worker after this time; RabbitMQ notices when a worker dies.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": env.int("CELERY_VISIBILITY_TIMEOUT", default=3600),
    "socket_connect_timeout": 2,
    "socket_timeout": 5,  # Of a Redis that hangs; a worker asks it each second.
}
CELERY_RESULT_BACKEND = env.str("CELERY_RESULT_BACKEND", default=CELERY_BROKER_URL)
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {
    "retry_policy": {"max_retries": 1, "interval_start": 0.2},
    "socket_connect_timeout": 2,
}
CELERY_REDIS_SOCKET_CONNECT_TIMEOUT = 2
CELERY_REDIS_SOCKET_TIMEOUT = 5
CELERY_RESULT_EXPIRES = 24 * 3600
# Workers and beat log through LOGGING, above (celery.py).
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE: dict[str, Any] = {}
if _sample:
    CELERY_BEAT_SCHEDULE["process-waiting-orders"] = {
        "task": "acme_shop.orders.tasks.process_waiting_orders",
        "schedule": 300,  # Seconds; celery.schedules.crontab gives times of day.
        "options": {"expires": 300},  # While no worker runs, one message waits, not hundreds.
    }

# Tasks are in each app's jobs.py; the queue is in the default database, so it needs no address.
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "jobs"
PROCRASTINATE_IMPORT_PATHS = ["acme_shop.housekeeping"]
PROCRASTINATE_WORKER_DEFAULTS = {
    # Jobs at once; sync ones run in threads, each with a connection.
    "concurrency": env.int("PROCRASTINATE_CONCURRENCY", default=8),
    # Seconds: a worker shows that it lives, and is held for dead when it did not.
    "update_heartbeat_interval": 10,
    "stalled_worker_timeout": 30,
}

_redis = env.str("REDIS_URL", default="" if DEBUG else "redis://127.0.0.1:6379/1")
CHANNEL_LAYERS: dict[str, Any] = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            "hosts": [
                {
                    "address": _redis,
                    "socket_connect_timeout": 2,  # Seconds, for a Redis that is not there.
                    # For one that hangs. More than the 5 s that the layer waits for a message: else
                    # it ends each idle websocket, https://github.com/django/channels_redis/issues/422
                    "socket_timeout": 10,
                },
            ],
            # Messages that may wait for the pages of one process; more are dropped, and logged.
            "capacity": 1000,
        },
    }
}
if not _redis:  # Development without Redis: a page hears of what its own process does.
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "acme_shop.schema.AutoSchema",
    "DEFAULT_PARSER_CLASSES": [
        "acme_shop.parsers.JSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 50,
    # Counted in the default cache: with several processes, set CACHE_URL to one that they share.
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.AnonRateThrottle",
        "rest_framework.throttling.UserRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {"anon": "60/min", "user": "600/min"},
}
SPECTACULAR_SETTINGS = {
    "TITLE": PROJECT_NAME,
    "VERSION": "1",
    "ENFORCE_NON_BLANK_FIELDS": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    # The page's scripts come from this site, since CSP allows no other.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
