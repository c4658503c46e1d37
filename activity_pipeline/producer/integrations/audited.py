"""A decorator: each call of a function is an event, with the outcome that it had.

    @audited(activity, "order.refund", entity_type="order", entity_id="order.id")
    def refund(order, amount): ...

Who called is what `bind` says.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, ParamSpec, TypeVar, cast

from activity_pipeline.producer.logger import ActivityLogger

P = ParamSpec("P")
R = TypeVar("R")
Describe = Callable[[Mapping[str, Any]], Any]
"""From the call's arguments by name, `return` among them where it succeeded, to what is logged."""

_LOG = logging.getLogger("activity_pipeline")


def audited(
    activity: ActivityLogger,
    action: str | None = None,
    *,
    entity_type: str | None = None,
    entity_id: str | Describe | None = None,
    metadata: Describe | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Log each call of the function, when it has ended; also of an asynchronous one.

    The status is `success`, or `failure` where it raised: the exception goes on, its class is
    noted as `error` in the metadata. What cannot be told of a call is left out of its event, with a
    warning of the logger `activity_pipeline`.

    Args:
        activity: Where events go.
        action: What is done; default: the function's module and name.
        entity_type: Kind of the thing that it is done to.
        entity_id: Which one: an argument by name, with attributes after dots (`order.id`), or what
            the function returned (`return.id`), or a callable.
        metadata: A callable that returns a dict.

    Raises:
        TypeError: When decorating: the function is a generator's, whose call does nothing yet, or
            has no argument of the name that `entity_id` begins with.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{function.__qualname__} is a generator function")
        signature = inspect.signature(function)
        name = action or f"{function.__module__}.{function.__qualname__}"
        known = {"return", *signature.parameters}
        if isinstance(entity_id, str) and entity_id.partition(".")[0] not in known:
            raise TypeError(f"{function.__qualname__} has no argument for entity_id={entity_id!r}")

        def log(call: Mapping[str, Any], error: BaseException | None) -> None:
            details = _described(metadata, call)
            if error is not None:
                details = {**(details if isinstance(details, dict) else {}), "error": type(error).__name__}
            try:
                activity.log(
                    name,
                    entity_type=entity_type,
                    entity_id=_described(entity_id, call),
                    status="failure" if error else "success",
                    metadata=details,
                )
            except Exception as problem:
                _LOG.warning("a call of %s was not logged: %r", name, problem)

        def arguments(*args: Any, **kwargs: Any) -> dict[str, Any]:
            try:
                call = signature.bind(*args, **kwargs)
            except TypeError:
                return {}  # The function itself is about to say so.
            call.apply_defaults()
            return dict(call.arguments)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*args: Any, **kwargs: Any) -> Any:
                call = arguments(*args, **kwargs)
                try:
                    call["return"] = result = await function(*args, **kwargs)
                except BaseException as error:
                    log(call, error)
                    raise
                log(call, None)
                return result

            return cast(Callable[P, R], call_async)

        @functools.wraps(function)
        def call_sync(*args: P.args, **kwargs: P.kwargs) -> R:
            call = arguments(*args, **kwargs)
            try:
                call["return"] = result = function(*args, **kwargs)
            except BaseException as error:
                log(call, error)
                raise
            log(call, None)
            return result

        return call_sync

    return decorate


def _described(described: str | Describe | None, call: Mapping[str, Any]) -> Any:
    """Return what is to be told of a call; None where that fails."""
    try:
        if isinstance(described, str):
            name, _, path = described.partition(".")
            found = call.get(name)  # Nothing is returned where something is raised.
            return attrgetter(path)(found) if path and found is not None else found
        return None if described is None else described(call)
    except Exception as error:
        _LOG.warning("a call could not be described: %r", error)
        return None
