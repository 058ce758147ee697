"""Which pages of other origins a browser lets call the API: none, unless the operator names them."""

from apiflask import APIFlask
from flask import Response, request

from shared.settings import Settings

ANY = "*"
HEADERS = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-API-Key, X-Correlation-ID"
    ),
    "Access-Control-Expose-Headers": "Location, Retry-After, X-Correlation-ID",
    "Access-Control-Max-Age": "600",
}


def install(app: APIFlask, settings: Settings) -> None:
    """Answer a browser's question beforehand, which carries no key, and mark every answer to an allowed page."""
    allowed = {origin.strip().rstrip("/").lower() for origin in settings.cors_origins.split(",")} - {""}
    if not allowed:
        return

    def may_call() -> bool:
        return ANY in allowed or request.headers.get("Origin", "").lower() in allowed

    def answer_preflight() -> Response | None:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=204) if asks and may_call() else None

    def mark(response: Response) -> Response:
        response.vary.add("Origin")
        if "Origin" in request.headers and may_call():
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers.update(HEADERS)
        return response

    app.before_request(answer_preflight)
    app.after_request(mark)
