"""Real packages with some 600 migrations and 300 tables; nothing but their models is used."""

from oscar.defaults import *  # noqa: F403

SECRET_KEY = "benchmark"
SITE_ID = 1
ROOT_URLCONF = "urls"
STATIC_URL = "/static/"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
LANGUAGES = WAGTAIL_CONTENT_LANGUAGES = [("en", "English")]
WAGTAIL_SITE_NAME = "benchmark"
WAGTAILADMIN_BASE_URL = "http://localhost"
CMS_CONFIRM_VERSION4 = True
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
SILENCED_SYSTEM_CHECKS = ["."]
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
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
DJANGO = "admin auth contenttypes sessions sites messages staticfiles flatpages redirects"
WAGTAIL = "contrib.forms contrib.redirects contrib.settings contrib.search_promotions embeds sites users"
WAGTAIL += " snippets documents images search admin"
OSCAR = "analytics checkout address shipping catalogue communication partner basket payment offer order"
OSCAR += " customer search voucher wishlists dashboard"
OSCAR_DASHBOARD = "reports users orders catalogue offers partners pages ranges reviews vouchers"
OSCAR_DASHBOARD += " communications shipping"
MACHINA = "forum forum_conversation forum_conversation.forum_attachments forum_conversation.forum_polls"
MACHINA += " forum_feeds forum_moderation forum_search forum_tracking forum_member forum_permission"
OTHERS = """
wagtail wagtail_localize wagtail_localize.locales modelcluster taggit wagtailmenus oscar.config.Shop
oscar.apps.catalogue.reviews.apps.CatalogueReviewsConfig widget_tweaks haystack treebeard sorl.thumbnail
django_tables2 cms menus sekizai filer easy_thumbnails djangocms_text djangocms_versioning mptt machina
django_celery_beat django_celery_results oauth2_provider waffle reversion guardian axes silk post_office
allauth allauth.account allauth.socialaccount allauth.mfa simple_history djstripe rest_framework
rest_framework.authtoken
"""
INSTALLED_APPS = [
    *(f"django.contrib.{name}" for name in DJANGO.split()),
    *(f"wagtail.{name}" for name in WAGTAIL.split()),
    *(f"oscar.apps.{name}.apps.{name.title()}Config" for name in OSCAR.split()),
    *(f"oscar.apps.dashboard.{name}.apps.{name.title()}DashboardConfig" for name in OSCAR_DASHBOARD.split()),
    *(f"machina.apps.{name}" for name in MACHINA.split()),
    *OTHERS.split(),
]
