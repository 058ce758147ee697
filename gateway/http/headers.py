"""What every answer tells a browser: keep nothing, guess nothing, show it in no frame."""

from apiflask import APIFlask
from flask import Response

NO_FRAMES = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": f"default-src 'none'; {NO_FRAMES}",
}


def install(app: APIFlask) -> None:
    """Set them wherever a route says nothing else."""
    app.after_request(add)


def add(response: Response) -> Response:
    """Add what the answer has not got; a stream keeps its own rule of caching."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
