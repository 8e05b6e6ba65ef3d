"""Custody: what the targets of this run make outside of its processes carries its name, and goes at its end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from nomos_contracts.provider import InterfaceProvider
from pytest_nomos.sweep.journal import Journal, left_open, terminate_left
from pytest_nomos.sweep.owner import Owner


class Custody:
    """The name of the run, as the settings of its targets write it, and the sweep at the end.

    Attributes:
        worker: the part of the run that this process is, empty for all of it.
    """

    def __init__(self) -> None:
        self._run = ""
        self.worker = ""
        self._used = False
        self._folder: Callable[[], Path] | None = None
        self._engines: list[Callable[[], Mapping[str, Any]]] = []

    @cached_property
    def _own(self) -> str:
        return str(Owner.of_process())

    @property
    def run(self) -> str:
        """The run, by the process that it ends with."""
        return self._run or self._own

    def take_over(self, run: str, worker: str) -> None:
        """Work for *run* of another process, as its part *worker*."""
        self._run, self.worker = run, worker

    def write_to(self, folder: Callable[[], Path]) -> None:
        """Keep journals in the folder that all processes of the run share; it is made when it is asked for."""
        self._folder = folder

    def journal(self, target: str) -> Journal | None:
        """Return the journal of a target in this process, None where there is no place for one."""
        folder = self._folder
        if folder is None:
            return None
        return Journal(lambda: folder() / f"spawned-{target}-{self.worker or 'main'}.jsonl")

    def settle(self, target: str, provider: Callable[[], InterfaceProvider]) -> None:
        """Terminate what the run's checks left on a target; what may still be there is told on stderr.

        Args:
            target: its name.
            provider: starts it; called only if there is something to terminate.

        Raises:
            Blocked: it cannot be started.
        """
        left = left_open(self._folder(), target) if self._folder is not None else None
        if left:
            trouble = terminate_left(provider(), left)
            if trouble:
                rest = f"; and {len(trouble) - 1} more" if trouble[1:] else ""
                sys.stderr.write(f"pytest-nomos: {target} may still have what this run spawned: {trouble[0]}{rest}\n")

    @property
    def places(self) -> Mapping[str, Callable[[], str]]:
        """What `{run}` and `{worker}` stand for in the settings."""
        return {"{run}": self._asked, "{worker}": lambda: self.worker}

    def _asked(self) -> str:
        self._used = True
        return self.run

    def watch(self, config: Callable[[], Mapping[str, Any]]) -> None:
        """Sweep at the end what a provider with *config* has on its engine, if `{run}` was ever asked for."""
        self._engines.append(config)

    def close(self) -> None:
        """Remove what the run, or its part, still has. Idempotent; what cannot be removed is told on stderr."""
        if not self._used:
            return
        from pytest_nomos.sweep.engines import sweep_run
        from pytest_nomos.sweep.sweeping import NoSweeperError, SweepError

        for config in self._engines:
            try:
                sweep_run(config(), self.run, self.worker or None)
            except NoSweeperError:
                continue
            except SweepError as error:
                sys.stderr.write(f"pytest-nomos: what this run spawned is not all gone: {error}\n")
        self._used = False
