"""Resources of the API, written once for both clients.

A method is a coroutine or an asynchronous generator in a base class, under one of three decorators:

>>> class JobResource(Resource):
...     @operation
...     async def report(self) -> Report: ...
>>> class Job(JobResource, BlockingResource): ...
>>> class AsyncJob(JobResource, AsyncResource): ...

`Job.report` is a function that returns a report, `AsyncJob.report` the coroutine function itself. Type checkers and
editors see the same parameters in both. Code for both clients takes the coroutine function from the base class:
``await JobResource.report(job)``.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from graftwerk.http.drivers import run
from graftwerk.http.transport import Transport

P = ParamSpec("P")
T = TypeVar("T")
B = TypeVar("B", bound="BlockingResource")
A = TypeVar("A", bound="AsyncResource")


class Resource:
    """A part of the API, over a transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport


class BlockingResource(Resource):
    """Base of the classes whose methods return results."""


class AsyncResource(Resource):
    """Base of the classes whose methods return coroutines and asynchronous generators."""


class _Method:
    """A descriptor: a function of blocking resources, or the asynchronous one that it is made of."""

    def __init__(self, function: Callable[..., Any], blocking: Callable[..., Any]) -> None:
        self.__doc__ = function.__doc__
        self._asynchronous = function
        self._blocking = wraps(function)(blocking)

    def bind(self, resource: Resource | None, owner: type[Resource]) -> Any:
        """Return the function, bound unless the class itself is asked for it."""
        function = self._blocking if issubclass(owner, BlockingResource) else self._asynchronous
        return function if resource is None else MethodType(function, resource)


class operation(_Method, Generic[P, T]):  # noqa: N801 - a decorator
    """A method that is a coroutine, or blocks until it has the result."""

    def __init__(self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> None:
        super().__init__(function, lambda *arguments, **options: run(function(*arguments, **options)))

    @overload
    def __get__(self, resource: None, owner: type[Any]) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, resource: BlockingResource, owner: type[Any]) -> Callable[P, T]: ...
    @overload
    def __get__(self, resource: AsyncResource, owner: type[Any]) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, resource: Resource | None, owner: type[Any]) -> Any:
        return self.bind(resource, owner)


class chainable(_Method, Generic[P]):  # noqa: N801 - a decorator
    """An operation that returns a resource of its own class: itself, or another."""

    def __init__(self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, Resource]]) -> None:
        super().__init__(function, lambda *arguments, **options: run(function(*arguments, **options)))

    @overload
    def __get__(self, resource: None, owner: type[B]) -> Callable[Concatenate[B, P], B]: ...
    @overload
    def __get__(self, resource: None, owner: type[Any]) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, Any]]: ...
    @overload
    def __get__(self, resource: B, owner: type[Any]) -> Callable[P, B]: ...
    @overload
    def __get__(self, resource: A, owner: type[Any]) -> Callable[P, Coroutine[Any, Any, A]]: ...
    def __get__(self, resource: Resource | None, owner: type[Any]) -> Any:
        return self.bind(resource, owner)


class iterator(_Method, Generic[P, T]):  # noqa: N801 - a decorator
    """A method that returns an asynchronous generator, or a generator. Closing either closes its connection."""

    def __init__(self, function: Callable[Concatenate[Any, P], AsyncGenerator[T]]) -> None:
        super().__init__(function, lambda *arguments, **options: iterate(function(*arguments, **options)))

    @overload
    def __get__(self, resource: None, owner: type[Any]) -> Callable[Concatenate[Any, P], AsyncGenerator[T]]: ...
    @overload
    def __get__(self, resource: BlockingResource, owner: type[Any]) -> Callable[P, Generator[T]]: ...
    @overload
    def __get__(self, resource: AsyncResource, owner: type[Any]) -> Callable[P, AsyncGenerator[T]]: ...
    def __get__(self, resource: Resource | None, owner: type[Any]) -> Any:
        return self.bind(resource, owner)


def iterate(items: AsyncGenerator[T]) -> Generator[T]:
    """Yield what an asynchronous generator over a blocking driver yields, and close it with this one."""
    try:
        while True:
            try:
                item = run(items.__anext__())
            except StopAsyncIteration:
                return
            yield item
    finally:
        run(items.aclose())
