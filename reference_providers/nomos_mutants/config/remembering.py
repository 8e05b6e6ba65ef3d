"""Mutants that keep too much: of an earlier Init, of a caller who has left, or in their log."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nomos_mutants.mutant import mutant
from nomos_mutants.original import Original
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, Info

Config = Mapping[str, Any]
logger = logging.getLogger("nomos.mutant")


@mutant("CFG-REINIT-005", "merged", defect="what the second configuration does not hold comes from the first")
class Merges(Original):
    """Lays one configuration over the other."""

    def __init__(self) -> None:
        super().__init__()
        self._below: Original | None = None
        self._first: Config = {}

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Keep the first configuration under another one."""
        super().init(alias, config, source_file_path, context=context)
        if not self._first:
            self._first = dict(config)
            self._below = Original()
            self._below.init(alias, config, source_file_path, context=context)

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Look into the first configuration for what is not there."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            if error.code != "NOT_FOUND" or self._below is None:
                raise
            return self._below.fetch(path, context=context)


@mutant("CFG-INFO-006", "frozen", defect="the alias is that of the first Init for ever")
class FrozenAlias(Original):
    """Takes its name once."""

    _name = ""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Note the first name."""
        super().init(alias, config, source_file_path, context=context)
        self._name = self._name or alias

    def info(self) -> Info:
        """Answer the first name."""
        info = super().info()
        return Info(self._name, info.version, info.type)


@mutant("CFG-INFO-006", "refused", defect="the alias is that of an Init that was refused")
class TakesNameFirst(FrozenAlias):
    """Takes its name before it looks at the rest."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Note the name."""
        self._name = alias
        super().init(alias, config, source_file_path, context=context)


@mutant("CFG-DEADLINE-001", "polls", defect="when a caller of a slow Fetch has left it goes on polling")
class PollsOn(Original):
    """Starts a watcher for each slow source and stops none."""

    _watching = threading.Event()

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Leave a watcher behind that takes a third of a CPU."""
        if path and path[0] == "slow" and not self._watching.is_set():
            context.on_cancel(self._watch)
        return super().fetch(path, context=context)

    def _watch(self) -> None:
        if not self._watching.is_set():
            self._watching.set()
            threading.Thread(target=self._poll, daemon=True).start()

    @staticmethod
    def _poll() -> None:
        while True:
            until = time.thread_time() + 0.01
            while time.thread_time() < until:
                sum(range(100))
            time.sleep(0.02)


@mutant("CFG-SECRET-001", "debug", defect="configuration that it does not use is logged at the level debug")
class LogsConfigAtDebug(Original):
    """Logs for the one who asks for it."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Log what was given."""
        logger.debug("unused keys: %s", {key: value for key, value in config.items() if key != "directory"})
        super().init(alias, config, source_file_path, context=context)


@mutant("CFG-SECRET-003", "debug", defect="each value that is fetched is logged at the level debug")
class LogsValuesAtDebug(Original):
    """Logs for the one who asks for it."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Log the answer."""
        found = super().fetch(path, context=context)
        logger.debug("answering %r", found)
        return found


@mutant(
    "CFG-FETCH-011",
    defect="from the fourth answer for a path on a map holds their number",
    also=("CFG-VALUE-001",),
    by_chance=True,
)
class Counts(Original):
    """Tells how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: Counter[tuple[str, ...]] = Counter()

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Add the number."""
        found = super().fetch(path, context=context)
        self._asked[tuple(path)] += 1
        return {**found, "calls": 4} if isinstance(found, dict) and self._asked[tuple(path)] >= 4 else found
