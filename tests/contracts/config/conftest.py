"""Runs the checks of the configuration contract on real processes, through the real host, without a pytest inside."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import nomos_contracts.config
from laboratory import BenchChaos
from nomos_contracts.clause import clauses_of
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import running
from nomos_contracts.provider import RunningProvider, Start, TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation, expect_ok
from pytest_nomos.host import Launch, Limits, ProviderHost, Setup

PLAIN = Path(__file__).with_name("plain_provider.py")
LIMITS = Limits(announce=5.0, grace=2.0, call=5.0, shutdown_rpc=2.0)


def contracts() -> Iterator[type[Contract]]:
    """Yield every class of checks of the contract but random schedules and storms, which have their own tests."""
    for module in pkgutil.iter_modules(nomos_contracts.config.__path__):
        loaded = importlib.import_module(f"nomos_contracts.config.{module.name}")
        for value in vars(loaded).values():
            own = isinstance(value, type) and issubclass(value, Contract) and value.__module__ == loaded.__name__
            if own and module.name not in {"schedules", "storms"}:
                yield value


@dataclass
class Judge:
    """The fixtures of one target, as the plugin would make them."""

    host: ProviderHost
    command: tuple[str, ...]
    samples: ConfigSamples
    config: dict[str, Any]
    source: str
    observed: dict[str, object] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    serial: int = 0
    shared: RunningProvider | None = None

    def start(self, *, args: Sequence[str] = (), **_: Any) -> Start:
        self.serial += 1
        launch = Launch(command=(*self.command, *args))
        return self.host.start(launch, f"p{self.serial}", self._setup)

    @property
    def _setup(self) -> Setup:
        return Setup(alias="settings", config=self.config, source_file_path=self.source)

    def make(self, name: str, started: list[RunningProvider]) -> Any:
        def spawn(*, init: bool = False, **options: Any) -> Start:
            start = self.start(**options)
            if start.provider is not None:
                started.append(start.provider)
                if init:
                    expect_ok(start.provider.init())
            return start

        match name:
            case "nomos_provider":
                if self.shared is None or not self.shared.alive():
                    self.shared = running(self.start())
                    if not self.shared.init().ok:
                        raise Blocked("clause:CFG-INIT-001", "the good Init fails")
                return self.shared
            case "nomos_fresh":
                return running(spawn())
            case "nomos_spawn":
                return spawn
            case "nomos_samples":
                return self.samples
            case "nomos_target":
                limits = {name: float(value) for name, value in LIMITS.model_dump().items()}
                return TargetFacts("target", self.command, Path(self.command[-2]), "standard", limits)
            case "nomos_chaos":
                return BenchChaos(self.start, self._setup)
            case "nomos_observe":
                return self.observed.__setitem__
            case "nomos_random":
                return random.Random(7)
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
                return "failed", str(violation)[:600]
            except Blocked as blocked:
                return "blocked", f"{blocked.by}: {blocked.reason}"
            except NotApplicable as reason:
                return "not applicable", str(reason)
            finally:
                for provider in started:
                    provider.stop()
        return "passed", ""

    def judge(self, *wanted: str) -> dict[str, str]:
        """Return the worst outcome of each clause of *wanted* (all of them without any)."""
        found: dict[str, set[str]] = {}
        table = clauses_of(("config",))
        for contract in contracts():
            for name, clause_id in contract.checks():
                if wanted and clause_id not in wanted:
                    continue
                if table[clause_id].capabilities:
                    found.setdefault(clause_id, set()).add("not applicable")  # nothing on this bench declares any
                    continue
                missing = [kind for kind in table[clause_id].samples if not getattr(self.samples, kind)]
                outcome, words = ("blocked", f"sample:{missing[0]}") if missing else self.run(contract, name)
                found.setdefault(clause_id, set()).add(outcome)
                self.words[f"{clause_id} {name}"] = f"{outcome} {words}"
        order = ("failed", "blocked", "passed", "not applicable")
        return {clause: next(outcome for outcome in order if outcome in seen) for clause, seen in found.items()}

    @staticmethod
    def clauses() -> set[str]:
        """Return the clauses that have a check."""
        return {clause_id for contract in contracts() for _, clause_id in contract.checks()}

    def explained(self, clause_ids: Sequence[str]) -> str:
        """Return what was said about some clauses."""
        return "\n".join(f"{name}: {words}" for name, words in self.words.items() if name.split()[0] in clause_ids)


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderHost]:
    with ProviderHost(LIMITS, tmp_path_factory.mktemp("host"), pings=False) as host:
        yield host


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The author's folder."""
    folder = tmp_path_factory.mktemp("author")
    app = {
        "name": "bookshop",
        "enabled": True,
        "ratio": 0.25,
        "port": 5432,
        "nothing": None,
        "none": [],
        "void": {},
        "labels": {"grüße": "naïve café ☕ 𝄞", "with space": " padded "},
        "limits": {"tiny": 1e-06, "big": 9007199254740992},
        "hosts": ["alpha.example.org", "beta.example.org", "gamma.example.org"],
        "database": {"main": {"host": "db.internal.example.org", "text": "x" * 20_000}},
    }
    for name, document in {"settings": app, "other": {**app, "name": "library"}, "relative/conf": app}.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "app.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "settings" / "extra.json").write_text('{"only": "in the first folder"}', encoding="utf-8")
    (folder / "settings" / "broken.json").write_text('{"key": ', encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def samples(data: Path) -> dict[str, Any]:
    document = json.loads((data / "settings" / "app.json").read_text(encoding="utf-8"))
    values = [{"path": ["app", key], "value": value} for key, value in document.items()]
    values += [
        {"path": ["app", "database", "main", "host"], "value": "db.internal.example.org"},
        {"path": ["app", "labels", "grüße"], "value": "naïve café ☕ 𝄞"},
        {"path": ["app", "hosts[1]"], "value": "beta.example.org"},
        {"path": ["app", "limits", "*"], "value": document["limits"]},
        {"path": ["extra", "only"], "value": "in the first folder"},
    ]
    directory = str(data / "settings")
    return {
        "values": values,
        "missing": [["app", "nobody"]],
        "required_keys": ["directory"],
        "bad_configs": [{"config": {"directory": directory, "depth": "much"}, "key": "depth"}],
        "unavailable": [{"config": {"directory": str(data / "nowhere")}, "key": "directory"}],
        "other_config": {"config": {"directory": str(data / "other")}, "path": ["app", "name"], "value": "library"},
        "relative": {
            "config": {"directory": "conf"},
            "source_file_path": str(data / "relative" / "x.csl"),
            "path": ["app", "name"],
            "value": "bookshop",
        },
        "slow": [["slow", "value"]],
        "forbidden": [["forbidden", "key"]],
        "malformed": [["broken", "key"]],
        "secret_keys": ["token"],
        "degraded": {"config": {"directory": directory, "mode": "degraded"}},
        "version": "1.4.2",
    }


@pytest.fixture
def target(host: ProviderHost, data: Path, samples: dict[str, Any]) -> Iterator[Callable[..., Judge]]:
    """Make a judge of the plain provider with some habits or a fault."""

    def make(*words: str, without: Sequence[str] = (), command: Sequence[str] = ()) -> Judge:
        chosen = tuple(command) or (sys.executable, str(PLAIN), ",".join(words))
        kept = {name: sample for name, sample in samples.items() if name not in without}
        if "no-wildcard" in words:
            kept["values"] = [v for v in samples["values"] if not v["path"][-1].endswith(("*", "]"))]
        config = {"directory": str(data / "settings"), "depth": 3, "token": "s3cr3t-of-the-author"}
        return Judge(host, chosen, ConfigSamples.model_validate(kept), config, str(data / "app.csl"))

    yield make
    for provider in list(host.providers.values()):
        provider.stop()
