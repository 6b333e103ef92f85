"""The project's settings, as far as they matter here."""

SECRET_KEY = "not a secret in an example"
INSTALLED_APPS = ["jobs"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
