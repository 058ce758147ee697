"""How much a request may carry, and what its JSON may hold."""

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from apiflask import APIFlask
from flask import Request, current_app, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from shared.settings import MEBIBYTE, Settings

UPLOAD = "takes_upload"
MULTIPART_OVERHEAD = MEBIBYTE // 16

View = TypeVar("View", bound=Callable[..., Any])


class StrictJson(DefaultJSONProvider):
    """JSON as the standard has it: no NaN, no Infinity, no nesting that breaks the parser."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Parse; raises ValueError for everything that is not JSON."""
        try:
            return super().loads(s, parse_constant=_refuse_constant, **kwargs)
        except RecursionError:
            raise ValueError("nested too deeply") from None


class ApiRequest(Request):
    """A request whose bad JSON is explained, and whose JSON says that it is JSON."""

    def get_data(self, *args: Any, **kwargs: Any) -> Any:
        """Read the body; raises RequestEntityTooLarge where the framework would cut a chunked one off at the limit."""
        data = super().get_data(*args, **kwargs)
        if self.content_length is None and len(data) >= (self.max_content_length or 0) > 0:
            raise RequestEntityTooLarge
        return data

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Parse the body; never forced, so that another content type is a 415."""
        parsed = super().get_json(silent=silent, cache=cache)
        if parsed is None and self.is_json and not silent:
            raise BadRequest("the body is null; send a JSON object")
        return parsed

    def on_json_loading_failed(self, e: ValueError | None) -> NoReturn:
        """Say where the JSON breaks."""
        if e is None:
            super().on_json_loading_failed(e)
        if not self.get_data():
            raise BadRequest("the body is empty; send JSON")
        raise BadRequest(f"the body is not valid JSON: {e}")


def install(app: APIFlask, settings: Settings) -> None:
    """Refuse by Content-Length before reading; a body without one is refused while it is read."""
    app.request_class = ApiRequest
    app.json = StrictJson(app)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.before_request(limit_body)


def takes_upload(view: View) -> View:
    """Declare that a route takes files: up to the upload limit, spooled to disk and not held in memory."""
    view.__dict__[UPLOAD] = True
    return view


def limit_body() -> None:
    """Apply the route's limit; raises RequestEntityTooLarge."""
    view = current_app.view_functions.get(request.endpoint or "")
    if getattr(view, UPLOAD, False):
        request.max_content_length = current_app.config["SETTINGS"].max_upload_bytes + MULTIPART_OVERHEAD
    limit = request.max_content_length or 0
    if (request.content_length or 0) > limit:
        raise RequestEntityTooLarge(f"the body is over the limit of {limit} bytes")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
