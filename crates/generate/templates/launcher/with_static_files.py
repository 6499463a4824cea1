"""The settings of a site of Django that names nobody who serves its static files, and WhiteNoise, which does.

sitecustomize.py takes this module for the site's own (DJANGO_SETTINGS_MODULE). With whitenoise in MIDDLEWARE and among the
packages of the project it is not written any more.
"""

import importlib
import os

_settings = importlib.import_module(os.environ["STATIC_FILES_OF"])
globals().update({name: value for name, value in vars(_settings).items() if name.isupper()})

_middleware = list(globals().get("MIDDLEWARE", ()))
# Behind what redirects to https, before everything that asks who the visitor is.
_at = next((at + 1 for at, name in enumerate(_middleware) if name.endswith(".SecurityMiddleware")), 0)
MIDDLEWARE = [*_middleware[:_at], "whitenoise.middleware.WhiteNoiseMiddleware", *_middleware[_at:]]
