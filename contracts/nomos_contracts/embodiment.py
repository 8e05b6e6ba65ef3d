"""A provider object of a function interface: its methods are found by name, given plain arguments, run."""

from __future__ import annotations

import contextlib
import inspect
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import Any, Final

from nomos_contracts.codec import ShapeError, to_wire
from nomos_contracts.functions import FunctionInterface, Method
from nomos_contracts.loop import BackgroundLoop
from nomos_proto.errors import ProviderError
from nomos_proto.workers import Workers

EXCEPTION: Final = "exception"
"""Key of `ProviderError.details` that names the class of an exception that is no `ProviderError`."""

END_SECONDS: Final = 2.0
"""Seconds that a provider object has to end."""
MOMENT: Final = 0.2
"""Seconds in which a cancelled coroutine may still end."""

_ENDINGS: Final = ("aclose", "close", "on_shutdown", "shutdown")
"""What a provider may offer to be ended by; the first of them is called."""


class _EndedError(Exception):
    """A coroutine wanted to end the process; its cause is how."""


class Embodiment:
    """Runs the methods of one provider object, for a face in this process and for one that is served.

    Synchronous methods run in threads of their own, coroutines on one background loop. Thread-safe.

    Attributes:
        provider: the provider object.
        interface: what it implements.
        capabilities: what it declares.
    """

    def __init__(self, provider: object, interface: FunctionInterface) -> None:
        """Take *provider*.

        Raises:
            ProviderError: INVALID_SPEC; it declares a capability that the interface does not have.
        """
        self.provider = provider
        self.interface = interface
        self.capabilities = interface.declared(provider)
        self._loop = BackgroundLoop(f"nomos-{interface.name}")
        self._workers = Workers()
        self._lock = threading.Lock()
        self._given_up: list[Future[Any]] = []
        self._closed = False

    @property
    def stuck(self) -> bool:
        """Whether a call that was given up still runs, after a moment in which it could end."""
        wait(self._given_up, MOMENT)
        self._given_up = [one for one in self._given_up if not one.done()]
        return bool(self._given_up)

    def offers(self, name: str) -> bool:
        """Whether *name* is a method of the interface that the object has, declared or not."""
        return name in self.interface.methods and callable(getattr(self.provider, name, None))

    def find(self, name: str) -> Method:
        """Return the method *name*.

        Raises:
            ProviderError: UNSUPPORTED_OPERATION, the interface or the object has no such method; NETWORK_ERROR, the
                provider has been closed.
        """
        if self._closed:
            raise ProviderError("the provider has been closed", "NETWORK_ERROR")
        if not self.offers(name):
            raise ProviderError(f'function "{name}" not supported', "UNSUPPORTED_OPERATION")
        return self.interface.methods[name]

    def begin(self, method: Method, arguments: Mapping[str, Any]) -> Future[Any]:
        """Start a method with decoded arguments; the future holds what it returns, parts of a stream as a list.

        Its exception is a `ProviderError`; one of another class has become one that names it (see `foreign`).
        """
        outer: Future[Any] = Future()
        inner = self._workers.submit(self._work, method, arguments, outer)
        outer.add_done_callback(lambda done: self._given_up.append(inner) if done.cancelled() else None)
        inner.add_done_callback(lambda done: _settle(outer, method, done))
        return outer

    def _work(self, method: Method, arguments: Mapping[str, Any], outer: Future[Any]) -> Any:
        found = self._called(method, arguments)
        if method.streaming:
            return list(self._parts(found))
        return self._await(found, outer) if inspect.isawaitable(found) else found

    def _called(self, method: Method, arguments: Mapping[str, Any]) -> Any:
        """Return what a method returns, a coroutine for instance."""
        function = getattr(self.provider, method.name)
        try:
            return function(**arguments)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None or _takes(function, arguments):
                raise  # from within the method
            names = ", ".join(arguments) or "no arguments"
            kind = f"{type(error).__module__}.{type(error).__qualname__}"
            words = f"{method.name} cannot be called with {names}: arguments come by the names that the interface gives"
            raise ProviderError(words, details={EXCEPTION: kind}) from error

    def _await(self, awaitable: Any, outer: Future[Any] | None = None) -> Any:
        async def whole() -> Any:
            try:
                return await awaitable
            except (SystemExit, KeyboardInterrupt) as error:
                # It would end the loop, and with it every other call.
                raise _EndedError from error

        try:
            running = self._loop.submit(whole())
        except RuntimeError:
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            raise ProviderError("the provider has been closed", "NETWORK_ERROR") from None
        if outer is not None:
            outer.add_done_callback(lambda done: done.cancelled() and running.cancel())
        return running.result()

    def _parts(self, found: Any) -> Iterator[Any]:
        if not hasattr(found, "__anext__"):
            yield from found
            return

        async def following() -> tuple[bool, Any]:
            try:
                return True, await found.__anext__()
            except StopAsyncIteration:
                return False, None

        while True:
            there, part = self._await(following())
            if not there:
                return
            yield part

    def stream(self, method: Method, arguments: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the parts that a streaming method answers.

        Raises:
            ProviderError: what the method raises, in the form of `begin`.
        """
        try:
            yield from self._parts(self._called(method, arguments))
        except Exception as error:  # told as what it is
            raise foreign(error, method.name) from error

    def plain(self, method: Method, value: Any) -> Any:
        """Return the plain form of what *method* answered, richer types projected to those of the interface.

        Raises:
            ProviderError: PROVIDER_INTERNAL; the answer cannot be sent.
        """
        try:
            return to_wire(value, method.returns)
        except ShapeError as error:
            raise ProviderError(f"{method.name} answered what cannot be sent: {error.message}") from error

    def close(self, timeout: float = END_SECONDS) -> bool:
        """End the provider (`aclose`, `close`, `on_shutdown` or `shutdown`, where it has one) and what ran for it.

        Returns whether all of it ended within *timeout* seconds. Idempotent; never raises for what the provider does.
        """
        with self._lock:
            if self._closed:
                return True
            self._closed = True
        ended = self._end_provider(timeout)
        stopped = self._loop.close(timeout)
        return self._workers.close(timeout) and stopped and ended

    def _end_provider(self, timeout: float) -> bool:
        ending: Callable[[], Any] | None = next(
            (found for name in _ENDINGS if callable(found := getattr(self.provider, name, None))), None
        )
        if ending is None:
            return True

        def end() -> None:
            done = ending()
            if inspect.isawaitable(done):
                self._await(done)

        future = self._workers.submit(end)
        try:
            # How a provider ends is the matter of clauses about it, not of whoever lets go of it.
            with contextlib.suppress(Exception):
                future.result(timeout)
        except FutureTimeoutError:
            return False
        return future.done()


def _takes(function: Callable[..., Any], arguments: Mapping[str, Any]) -> bool:
    """Whether the parameters of *function* fit, as far as that can be known."""
    try:
        inspect.signature(function).bind(**arguments)
    except TypeError:
        return False
    except ValueError:
        pass
    return True


def create(make: Callable[[Mapping[str, Any]], object], config: Mapping[str, Any], seconds: float | None) -> object:
    """Return the provider object that *make* makes of *config*; what it returns may be awaited.

    Args:
        make: a factory.
        config: its configuration.
        seconds: how long it may take; None sets no limit.

    Raises:
        ProviderError: TIMEOUT_ERROR after *seconds*, or what *make* raises, in the form of `foreign`.
    """
    workers, loop = Workers(), BackgroundLoop("nomos-create")

    def work() -> object:
        made = make(config)
        if not inspect.isawaitable(made):
            return made

        async def whole() -> object:
            return await made

        return loop.submit(whole()).result()

    future = workers.submit(work)
    try:
        return future.result(seconds)
    except FutureTimeoutError:
        if future.done():
            raise foreign(future.exception() or TimeoutError(), "the factory") from None
        raise ProviderError(f"the factory did not return within {seconds:g} s", "TIMEOUT_ERROR") from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and not future.done():
            raise
        told = foreign(error, "the factory")
        if told is error:
            raise  # with the cause that it has
        raise told from error
    finally:
        loop.close(MOMENT)
        workers.close(MOMENT)


def _settle(outer: Future[Any], method: Method, done: Future[Any]) -> None:
    if not outer.set_running_or_notify_cancel():
        return
    error = done.exception()
    if error is None:
        outer.set_result(done.result())
    else:
        outer.set_exception(foreign(error, method.name))


def foreign(error: BaseException, name: str) -> ProviderError:
    """Return *error* as the error that a caller gets: its class and place, never its text, which may hold secrets."""
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, _EndedError) and error.__cause__ is not None:
        error = error.__cause__
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {Path(frame[0].filename).name}:{frame[0].lineno}" if frame else ""
    return ProviderError(f"{name} raised {kind}{place}", details={EXCEPTION: kind})
