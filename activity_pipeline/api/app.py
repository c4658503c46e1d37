"""The application: backends, layers and routes put together."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from importlib import import_module
from pkgutil import iter_modules

from fastapi import FastAPI

from activity_pipeline import __version__
from activity_pipeline.api import problems, routes
from activity_pipeline.api.backends import Backends
from activity_pipeline.api.exchange import Exchange
from activity_pipeline.api.limits import Limits
from activity_pipeline.api.openapi import describing
from activity_pipeline.api.reads import ReadLog
from activity_pipeline.api.routes import ROOT
from activity_pipeline.settings import Settings, load_settings

DESCRIPTION = """\
Events of any application in, and what became of them out.

Instants are in UTC, ISO 8601; days are UTC days. Errors are problem documents (RFC 9457). An answer's
header `X-Request-ID` names the request, by the id that the client gave it where that is a sane one.
"""


def create_app(settings: Settings) -> FastAPI:
    """Make the application; nothing is opened before it is started.

    Args:
        settings: With the addresses of Postgres and Redis.
    """
    reads = ReadLog(settings.api_log_reads)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        backends = app.state.backends = Backends(settings)
        reads.open(backends.forwarder.logger)
        async with backends.running():
            yield

    app = FastAPI(
        title="activity_pipeline",
        summary="Activity and audit log",
        description=DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        openapi_url=f"{ROOT}/openapi.json",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    app.openapi = describing(app)  # type: ignore[method-assign]
    # The last one added is the outermost.
    app.add_middleware(Limits, max_body_bytes=settings.api_max_body_bytes)
    app.add_middleware(Exchange, reads=reads)
    for module in sorted(iter_modules(routes.__path__), key=lambda each: each.name):
        app.include_router(import_module(f"{routes.__name__}.{module.name}").router)
    return app


def app_of_environment() -> FastAPI:
    """Make the application of the settings in the environment, in a worker of uvicorn."""
    return create_app(load_settings())
