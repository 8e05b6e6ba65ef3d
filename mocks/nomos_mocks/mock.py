"""What all mocks share: they are made from their interface, record every call, and take scripts."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from nomos_contracts.functions import FunctionInterface
from nomos_mocks.script import Scripts, Step
from nomos_proto.errors import TABLE, ProviderError
from nomos_proto.kinds import is_map, is_sequence

REMEMBERED: Final = 10_000
"""Calls that a mock remembers; the oldest go first."""

CODES: Final = frozenset(row.code for row in TABLE)


class MockError(ValueError):
    """A script that cannot be: no such method, no such code, no such number."""


@dataclass
class Call:
    """One call of a mock.

    Attributes:
        method: name of the method.
        arguments: by name; those that were left out are absent.
        answer: what it returned, None while it runs.
        error: what it raised, None where it did not.
        done: whether it is over.
    """

    method: str
    arguments: Mapping[str, Any]
    answer: Any = None
    error: BaseException | None = None
    done: bool = field(default=False, compare=False)


class Mock:
    """A provider that does what a correct one does, and what a test tells it.

    A subclass names its interface (``class MockConfig(Mock, interface=INTERFACE)``) and gets every method of it. A call
    with arguments that the method does not have is a TypeError, as with ``unittest.mock.create_autospec``.
    """

    interface: ClassVar[FunctionInterface]

    def __init_subclass__(cls, *, interface: FunctionInterface | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if interface is None:
            return
        cls.interface = interface
        for name in interface.methods:
            if name in vars(Mock):
                raise TypeError(f"{interface.name}.{name} is a method of mocks themselves")
            if name not in vars(cls):
                setattr(cls, name, _forwarded(name))

    def __init__(self, provider: object) -> None:
        """Put scripts and a memory around *provider*, a correct one."""
        self._provider: Any = provider
        self._scripts = Scripts()
        self._signatures: dict[str, inspect.Signature] = {}
        self._guard = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=REMEMBERED)

    if not TYPE_CHECKING:  # a type checker takes a mock for the provider that it stands for, and nothing more

        def __getattr__(self, name: str) -> Any:
            # What belongs to the provider and not to its interface (capabilities, a clock).
            if name.startswith("_"):
                raise AttributeError(name)
            return getattr(self._provider, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise AttributeError(f"{name} cannot be set: tell a mock what to do by fail, delay, answer and cut")
        super().__setattr__(name, value)

    @property
    def calls(self) -> Sequence[Call]:
        """The calls so far, oldest first, those in flight included."""
        with self._guard:
            return tuple(self._calls)

    def calls_of(self, method: str) -> Sequence[Call]:
        """Return the calls of one method.

        Raises:
            MockError: the interface has no such method.
        """
        self._known(method)
        return tuple(one for one in self.calls if one.method == method)

    def fail(
        self,
        method: str,
        code: str,
        *,
        times: int | None = None,
        skip: int = 0,
        message: str = "",
        retry_after: float | None = None,
        worked: bool = False,
    ) -> None:
        """Have *method* fail.

        Args:
            method: name of a method of the interface.
            code: code of the taxonomy, for instance ``CAPACITY_ERROR``.
            times: how often; None: until `reset`.
            skip: how many calls go well before.
            message: for a person.
            retry_after: seconds that the error tells to wait.
            worked: whether the work is done first: the answer is lost, and the effect stays.

        Raises:
            MockError: there is no such method or code, or a number that cannot be.
        """
        self._check_code(code)
        words = message or f"{method} was told to fail"
        step = Step(error=lambda arguments: self._error(code, words, retry_after, arguments), worked=worked)
        self._plan(method, step, times, skip)

    def delay(self, method: str, seconds: float, *, times: int | None = None, skip: int = 0) -> None:
        """Have *method* take *seconds* longer, up to its caller's deadline where it has one.

        Raises:
            MockError: there is no such method, or a number that cannot be.
        """
        if not 0 <= seconds < float("inf"):
            raise MockError(f"a delay of {seconds} seconds cannot be")
        self._plan(method, Step(delay=seconds), times, skip)

    def answer(self, method: str, value: Any, *, times: int | None = None, skip: int = 0) -> None:
        """Have *method* do its work and answer *value* in place of its own answer.

        Raises:
            MockError: there is no such method, or a number that cannot be.
        """
        self._plan(method, Step(change=lambda _: value), times, skip)

    def cut(self, method: str, count: int, *, times: int | None = None, skip: int = 0) -> None:
        """Have *method* answer the first *count* items alone of the list or map that it would answer.

        Raises:
            MockError: there is no such method, or a number that cannot be.
        """
        if count < 0:
            raise MockError(f"there are no {count} items")
        self._plan(method, Step(change=lambda value: _first(value, count)), times, skip)

    def script(self, entries: object) -> None:
        """Take scripts as data, as a configuration holds them.

        Each entry is a map with ``method`` and one of ``code``, ``seconds``, ``value`` and ``count``, beside the
        further arguments of `fail`, `delay`, `answer` and `cut`.

        Raises:
            MockError: it is something else.
        """
        if not is_sequence(entries):
            raise MockError("script: must be a list of maps")
        for entry in entries:
            kinds: dict[str, Callable[..., None]] = {
                "code": self.fail,
                "seconds": self.delay,
                "value": self.answer,
                "count": self.cut,
            }
            named = [kind for kind in kinds if is_map(entry) and kind in entry]
            if len(named) != 1 or "method" not in entry:
                raise MockError(f"script: an entry has `method` and one of {', '.join(kinds)}")
            rest = {key: value for key, value in entry.items() if key not in {"method", named[0]}}
            try:
                kinds[named[0]](entry["method"], entry[named[0]], **rest)
            except TypeError as error:
                raise MockError(f"script: {error}") from error

    def reset(self) -> None:
        """Forget calls and scripts; the state stays."""
        self._scripts.clear()
        with self._guard:
            self._calls.clear()

    def _plan(self, method: str, step: Step, times: int | None, skip: int) -> None:
        self._known(method)
        if (times is not None and times < 1) or skip < 0:
            raise MockError("times is at least 1, and skip at least 0")
        self._scripts.add(method, step, times=times, skip=skip)

    def _known(self, method: str) -> None:
        if method not in self.interface.methods:
            names = ", ".join(self.interface.methods)
            raise MockError(f"{self.interface.name} has no method {method}; there are {names}")

    def _check_code(self, code: str) -> None:
        if code not in CODES:
            raise MockError(f"there is no code {code}; there are {', '.join(sorted(CODES))}")

    def _error(self, code: str, message: str, retry_after: float | None, arguments: Mapping[str, Any]) -> Exception:  # noqa: ARG002 # what subclasses may say
        return ProviderError(message, code, provider=str(getattr(self, "name", "mock")), retry_after=retry_after)

    def _invoke(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do what a call of *method* does, scripts included; a coroutine where the provider's method is one."""
        function = getattr(self._provider, method)
        known = self._signatures.get(method)
        if known is None:
            known = self._signatures[method] = inspect.signature(function)
        bound = known.bind(*args, **kwargs)
        call = Call(method, dict(bound.arguments))
        with self._guard:
            self._calls.append(call)
        step = self._scripts.next(method)
        if inspect.iscoroutinefunction(function):
            return self._later(call, step, function, bound)
        return self._now(call, step, function, bound)

    def _now(self, call: Call, step: Step, function: Callable[..., Any], bound: inspect.BoundArguments) -> Any:
        with _noted(call):
            if step.delay:
                _wait(step.delay, bound.arguments)
            step.fail(bound.arguments, worked=False)
            call.answer = step.changed(function(*bound.args, **bound.kwargs))
            step.fail(bound.arguments, worked=True)
        return call.answer

    async def _later(self, call: Call, step: Step, function: Callable[..., Any], bound: inspect.BoundArguments) -> Any:
        with _noted(call):
            if step.delay:
                await asyncio.sleep(step.delay)
            step.fail(bound.arguments, worked=False)
            call.answer = step.changed(await function(*bound.args, **bound.kwargs))
            step.fail(bound.arguments, worked=True)
        return call.answer


@contextmanager
def _noted(call: Call) -> Generator[None]:
    """Write down how *call* ends."""
    try:
        yield
    except BaseException as error:
        call.error = error
        raise
    finally:
        call.done = True


def _forwarded(name: str) -> Callable[..., Any]:
    def method(self: Mock, /, *args: Any, **kwargs: Any) -> Any:
        return self._invoke(name, args, kwargs)  # pyright: ignore[reportPrivateUsage] # a method of the class, made here

    method.__name__ = name
    return method


def _wait(seconds: float, arguments: Mapping[str, Any]) -> None:
    """Wait, by the context of the call where it has one, so that deadline and cancellation hold."""
    context = arguments.get("context") or arguments.get("ctx")
    if context is None:
        time.sleep(seconds)
    else:
        context.wait(seconds)


def _first(value: Any, count: int) -> Any:
    if is_map(value):
        return dict(list(value.items())[:count])
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        items: list[Any] = list(value)[:count]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] # whatever a method answers
        return tuple(items) if isinstance(value, tuple) else items
    raise MockError(f"an answer of type {type(value).__name__} has no items")
