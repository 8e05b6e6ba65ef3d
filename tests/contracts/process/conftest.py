"""Runs the checks of the process contract on real processes, through the real host, without a pytest session inside."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import nomos_contracts.process
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import blocked_by, first_running, initialised, running
from nomos_contracts.provider import RunningProvider, Start, TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation
from pytest_nomos.host import Launch, Limits, ProviderHost, Setup

CROOKED = Path(__file__).with_name("crooked_provider.py")
SAMPLES: dict[str, Any] = {
    "values": [
        {"path": ["name"], "value": "good"},
        {"path": ["list"], "value": [1, 2]},
    ],
    "missing": [["no", "such"]],
    "other_config": {"config": {"name": "other"}, "path": ["name"], "value": "other"},
}
LIMITS = Limits(
    announce=3.0, grace=1.6, connect=2.5, connect_timeout=1.0, connect_backoff=0.1, call=4.0, shutdown_rpc=2.0
)


def contracts() -> Iterator[type[Contract]]:
    """Yield every class of checks of the process contract."""
    for module in pkgutil.iter_modules(nomos_contracts.process.__path__):
        loaded = importlib.import_module(f"nomos_contracts.process.{module.name}")
        for value in vars(loaded).values():
            if isinstance(value, type) and issubclass(value, Contract) and value.__module__ == loaded.__name__:
                yield value


NEED_SLOW = {"PROC-SIGNAL-004", "PROC-LEAK-004"}


@dataclass
class Session:
    """The fixtures of one target, as the plugin would make them."""

    host: ProviderHost
    command: tuple[str, ...]
    samples: ConfigSamples
    profile: str = "standard"
    limits: Limits = LIMITS
    file: Path | None = None
    observed: dict[str, object] = field(default_factory=dict)
    serial: int = 0
    first: Start | None = None
    shared: RunningProvider | None = None

    def start(self, *, unix: bool = False, args: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Start:
        self.serial += 1
        launch = Launch(command=(*self.command, *args), env=env or {}, unix=unix)
        setup = Setup(config={"name": "good"}, source_file_path="/somewhere/app.csl")
        return self.host.start(launch, f"{id(self)}-{self.serial}", setup, limits=self.limits)

    def first_start(self) -> Start:
        self.first = self.first or self.start()
        return self.first

    def make(self, name: str, started: list[RunningProvider]) -> Any:
        def spawn(*, init: bool = False, **options: Any) -> Start:
            start = self.start(**options)
            if start.provider is not None:
                started.append(start.provider)
                if init:
                    initialised(start.provider)
            return start

        match name:
            case "nomos_start":
                return self.first_start()
            case "nomos_provider":
                if self.shared is None or not self.shared.alive():
                    self.shared = initialised(first_running(self.first_start()))
                return self.shared
            case "nomos_fresh":
                first_running(self.first_start())
                start = spawn()
                if start.error is not None:
                    raise blocked_by(start.error, first=False)
                return running(start)
            case "nomos_spawn":
                return spawn
            case "nomos_samples":
                return self.samples
            case "nomos_target":
                limits = {name: float(value) for name, value in self.limits.model_dump().items()}
                return TargetFacts("target", self.command, self.file, self.profile, limits)
            case "nomos_observe":
                return self.observed.__setitem__
            case "nomos_random":
                return random.Random(1)
        raise KeyError(name)

    def run(self, contract: type[Contract], name: str) -> tuple[str, str]:
        """Return (outcome, words) of one check."""
        check = getattr(contract(), name)
        started: list[RunningProvider] = []
        with tempfile.TemporaryDirectory() as scratch:
            try:
                arguments = {
                    wanted: Path(scratch) if wanted == "nomos_scratch" else self.make(wanted, started)
                    for wanted in inspect.signature(check).parameters
                }
                check(**arguments)
            except Violation as violation:
                return "failed", str(violation)
            except Blocked as blocked:
                return "blocked", f"{blocked.by}: {blocked.reason}"
            except NotApplicable as reason:
                return "not applicable", str(reason)
            finally:
                for provider in started:
                    provider.stop()
        return "passed", ""

    def judge(self, *clauses: str) -> dict[str, set[str]]:
        """Return the outcomes of the checks of *clauses* (all of them without any), by clause."""
        found: dict[str, set[str]] = {}
        self.words: dict[str, str] = {}
        for contract in contracts():
            for name, clause_id in contract.checks():
                if clauses and clause_id not in clauses:
                    continue
                needs_slow = clause_id in NEED_SLOW and not self.samples.slow
                outcome, words = ("blocked", "sample:slow") if needs_slow else self.run(contract, name)
                found.setdefault(clause_id, set()).add(outcome)
                self.words[f"{clause_id} {name}"] = f"{outcome} {words}"
        return found

    def broken(self, *clauses: str) -> set[str]:
        """Return the clauses of *clauses* (of all without any) that failed."""
        return {clause for clause, outcomes in self.judge(*clauses).items() if "failed" in outcomes}


Judge = Callable[..., Session]


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderHost]:
    with ProviderHost(LIMITS, tmp_path_factory.mktemp("host"), pings=False) as host:
        yield host


@pytest.fixture
def target(host: ProviderHost) -> Iterator[Judge]:
    """Make a session for a command, or for the crooked provider with some faults."""
    made: list[Session] = []

    def make(*faults: str, command: Sequence[str] = (), samples: Mapping[str, Any] = SAMPLES, **more: Any) -> Session:
        chosen = tuple(command) or (sys.executable, str(CROOKED), ",".join(faults))
        session = Session(host, chosen, ConfigSamples.model_validate(samples), **more)
        made.append(session)
        return session

    yield make
    for provider in list(host.providers.values()):
        provider.stop()
