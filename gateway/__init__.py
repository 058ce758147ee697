"""HTTP in, rows out, bells rung; holds no rule."""

from typing import Any

from apiflask import APIFlask

from gateway import readiness
from gateway.http import auth, correlation, cors, errors, headers, idempotency, limits, quotas
from gateway.reference import documentation
from gateway.routes import BLUEPRINTS
from gateway.streaming import places
from shared.db import limit_statements
from shared.queries.accounts import audit
from shared.settings import Settings

NO_FOLDER: Any = None  # Flask takes None for "no static route"; APIFlask's annotation does not say so


def create_app(settings: Settings) -> APIFlask:
    """Build the gateway; raises RuntimeError for a route that does not say who may use it."""
    app = APIFlask(__name__, title="Personae", version="1", docs_path=None, static_folder=NO_FOLDER)
    app.config["SETTINGS"] = settings
    app.url_map.strict_slashes = False
    correlation.install(app)
    headers.install(app)
    errors.install(app)
    limits.install(app, settings)
    cors.install(app, settings)
    auth.install(app)
    quotas.install(app, settings)
    places.install(app, settings)
    idempotency.install(app)
    readiness.install(app, settings)
    documentation.install(app)
    limit_statements(settings.gateway_statement_seconds)
    audit.watch()
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    auth.check_every_route(app)
    return app
