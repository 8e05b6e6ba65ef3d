"""Traffic: the calls of an ordinary caller, and some of an unruly one, that a provider has to take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nomos_contracts.config.samples import ConfigSamples, Segments
from nomos_contracts.process.samples import CallSamples
from nomos_contracts.provider import Answer, Exit, PendingAnswer, RunningProvider, TargetFacts
from nomos_contracts.violation import Violation, same

MADE_UP: Segments = ("nomos-no-such-key-7f3a91",)
"""A path that no provider has."""

TRUNCATED = b"\x0a\x05a"
"""A field of five bytes of which one is there: no message of any type."""

POLL = 0.01
"""Seconds between two looks at something that is about to happen."""

BUSY = 64
"""Quick calls that are in flight where no path is known to be slow."""

BUSY_CALLS = 8
"""Calls of a function that are in flight: each may cost its vendor work."""

ARRIVAL = 0.2
"""Seconds within which a call that was sent has reached the provider's own code, also on a busy machine."""

LEAVES = 0.05
"""Seconds after which a caller leaves: a call that is answered later was cancelled."""

REFUSAL = 2.0
"""Seconds for an Init that is refused: what it looks for in vain may be far away."""

UPSET = "after callers have left and after Inits that it may have refused"
"""The state that `upset` leaves, for messages."""

PATIENT = 6
"""Times the grace period that the callers of slow calls would wait, so that no end of theirs ends the process."""


def known_path(samples: ConfigSamples) -> Segments:
    """Return a path that exists, as far as the author named one; else one that does not."""
    return samples.values[0].path if samples.values else missing_path(samples)


def missing_path(samples: ConfigSamples) -> Segments:
    """Return a path that does not exist."""
    return samples.missing[0] if samples.missing else MADE_UP


def ask(provider: RunningProvider, samples: ConfigSamples) -> Answer:
    """Make a call that does work: a Fetch, or with a function interface a Call that changes nothing."""
    if isinstance(samples, CallSamples):
        return provider.call(samples.function, {}, interface=samples.interface)
    return provider.fetch(known_path(samples))


def burst(provider: RunningProvider, paths: Sequence[Segments], count: int, timeout: float) -> list[PendingAnswer]:
    """Begin *count* Fetches at once, going through *paths* in turn, each with *timeout* seconds."""
    return [provider.start_fetch(paths[index % len(paths)], timeout=timeout) for index in range(count)]


def keep_busy(provider: RunningProvider, samples: ConfigSamples, target: TargetFacts) -> list[PendingAnswer]:
    """Begin calls that are still running when the process is asked to end; `drop` them afterwards.

    Slow ones where the author named a path, whose callers wait for longer than the process may take, else many quick
    ones. Slow ones get a moment to arrive: on connections of their own they may be overtaken, and one that is refused
    because the end came first would show nothing. With a function interface calls of its function.
    """
    if isinstance(samples, CallSamples):
        name, timeout = samples.function, PATIENT * target.limits["grace"]
        return [provider.start_call(name, {}, interface=samples.interface, timeout=timeout) for _ in range(BUSY_CALLS)]
    paths, count = (samples.slow, 2) if samples.slow else ((known_path(samples), missing_path(samples)), BUSY)
    calls = burst(provider, paths, count, PATIENT * target.limits["grace"])
    if samples.slow:
        provider.health()
        soon(lambda: any(call.done() for call in calls), ARRIVAL)
    return calls


def drop(calls: Sequence[PendingAnswer]) -> None:
    """Cancel those of *calls* that still run."""
    for call in calls:
        if not call.done():
            call.cancel()


def exercise(provider: RunningProvider, samples: ConfigSamples, *, unruly: bool = False) -> None:
    """Use everything that a provider has but Shutdown; it is initialised afterwards, and no answer counts.

    Args:
        provider: the provider.
        samples: paths to ask for.
        unruly: also do what a caller should not: broken requests, forbidden paths, many calls at once.
    """
    provider.health()
    provider.info()
    provider.fetch(known_path(samples))
    provider.init()
    for _ in range(3):
        for sample in samples.values[:8]:
            provider.fetch(sample.path)
        provider.fetch(missing_path(samples))
        if isinstance(samples, CallSamples):
            ask(provider, samples)
    if unruly:
        provider.fetch(("",))
        provider.fetch(("..", "..", "etc", "passwd"))
        provider.raw("Fetch", TRUNCATED)
        provider.raw("Init", TRUNCATED)
        provider.raw("/nomos.nobody.Service/Do", b"")
        for pending in burst(provider, [known_path(samples), missing_path(samples)], 16, 5.0):
            pending.answer(10.0)
    provider.init()
    provider.health()
    provider.info()


def upset(provider: RunningProvider, samples: ConfigSamples) -> None:
    """Do what goes wrong in the life of a provider: callers leave, and in the end Init is refused; no answer counts.

    With a function interface no Init is known that is refused.
    """
    path = samples.slow[0] if samples.slow else known_path(samples)
    for _ in range(2):
        call = provider.start_fetch(path)
        soon(call.done, LEAVES)
        call.cancel()
        call.answer()
        provider.fetch(path, timeout=LEAVES)
    provider.health()
    for config in refused(provider, samples):
        provider.init(config, timeout=REFUSAL)


def refused(provider: RunningProvider, samples: ConfigSamples) -> list[Mapping[str, Any]]:
    """Return configurations that Init refuses, as far as the author named some: one or two of each kind."""
    good = provider.good_config
    found: list[Mapping[str, Any]] = [
        {key: value for key, value in good.items() if key != required} for required in samples.required_keys[:1]
    ]
    return [*found, *(sample.config for sample in (*samples.bad_configs[:2], *samples.unavailable[:2]))]


def must_still_serve(provider: RunningProvider, after: Answer, path: Segments, before: Answer) -> None:
    """See that the provider goes on as before something unruly was done to it.

    Args:
        provider: the provider.
        after: the exchange that it had to survive.
        path: a path that it is asked for.
        before: what it answered for that path before.

    Raises:
        Violation: the process ended, Health does not answer, or the answer for *path* has changed.
    """
    health = provider.health()
    if not health.ok:
        ended = provider.wait(0.5)
        got = f"the process {ended.words}" if ended else f"Health answered {health.summary}"
        raise Violation("a provider that goes on serving", got, after, health)
    again = provider.fetch(path)
    if again.code != before.code or not same(again.value, before.value):
        raise Violation(f"the same answer for {list(path)} as before: {before.summary}", again.summary, after, again)


def must_end(provider: RunningProvider, within: float, what: str) -> Exit:
    """Wait for the end of the process.

    Args:
        provider: the provider.
        within: seconds that it has.
        what: what was done to it, for the message.

    Raises:
        Violation: it still runs.
    """
    ended = provider.wait(within)
    if ended is None:
        raise Violation(f"a process that ends within {within:g} s after {what}", f"it still runs after {within:g} s")
    return ended


def soon(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait at most *seconds* for *condition* to hold, and return whether it did."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True
