"""The page "Topics" inside Airflow: a FastAPI app in which every route requires a logged-in user."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow.api_fastapi.app import get_cookie_path
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import FileResponse, RedirectResponse

FILES = {"page.js": "text/javascript", "page.css": "text/css"}
FRESH_SECONDS = 4.0
"""The stores are read at most once in this time, however many people look at the page."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Overview = dict[str, Any]


def create_app(folder: Path, read: Callable[[], Overview]) -> FastAPI:
    """Create the app.

    Args:
        folder: contains index.html and FILES.
        read: returns the overview; called in a worker thread, never concurrently.
    """
    # FastAPI's documentation routes would not require a user
    app = FastAPI(title="Topics", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(get_user)])
    app.exception_handler(HTTPException)(_reject)
    cached = _Cached(read)

    @app.middleware("http")
    async def protect(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    @app.get("/", dependencies=[Depends(get_user)])
    def page() -> FileResponse:
        return FileResponse(folder / "index.html")

    @app.get("/assets/{name}", dependencies=[Depends(get_user)])
    def asset(name: str) -> FileResponse:
        if name not in FILES:
            raise HTTPException(404)
        return FileResponse(folder / name, media_type=FILES[name])

    @app.get("/api/overview", dependencies=[Depends(get_user)])
    def overview() -> Overview:
        return cached.get()

    return app


class _Cached:
    def __init__(self, read: Callable[[], Overview]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._value: Overview = {}
        self._until = 0.0

    def get(self) -> Overview:
        with self._lock:
            if time.monotonic() >= self._until:
                self._value = self._read()
                self._until = time.monotonic() + FRESH_SECONDS
            return self._value


class StoreOverview:
    """Reads the overview from the stores of the settings; their clients are created on the first call."""

    def __init__(self) -> None:
        self._sources: Any = None
        self._reads: Any = None
        self._topics: Any = None

    def __call__(self) -> Overview:
        # Airflow imports plugins into every process: heavy imports wait until somebody opens the page
        from twitter_topics.backends.influx import SHORT_TIMEOUT_S
        from twitter_topics.backends.s3 import PROMPT
        from twitter_topics.page.overview import Reads, RealSources, overview
        from twitter_topics.settings import Settings

        if self._sources is None:
            settings = Settings()
            self._reads, self._topics = Reads(), settings.topics
            self._sources = RealSources(settings, PROMPT, SHORT_TIMEOUT_S)
        now_ms = time.time_ns() // 1_000_000
        return overview(
            self._sources,
            self._reads,
            now_ms=now_ms,
            min_documents=self._topics.min_documents,
            promotion=self._topics.promotion,
        )


async def _reject(request: Request, error: Exception) -> Response:
    """Redirect a browser to the login page; give a program the status."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for HTTPException only
    if error.status_code == 401 and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"{get_cookie_path().rstrip('/')}/auth/login", status_code=302)
    return await http_exception_handler(request, error)
