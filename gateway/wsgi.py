"""gunicorn's entry: `gunicorn gateway.wsgi:app`."""

from gateway import create_app
from shared.logs import configure_logging
from shared.settings import get_settings

configure_logging(get_settings().log_level)
app = create_app(get_settings())
