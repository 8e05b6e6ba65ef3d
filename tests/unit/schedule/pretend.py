"""A configuration provider in process, with every freedom that the protocol leaves as a switch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from nomos_contracts.config.model import is_malformed
from nomos_contracts.config.samples import BadConfig, ConfigSamples, OtherConfig, ValueSample
from nomos_contracts.provider import Answer, RunningProvider, Start

GOOD = {"directory": "good"}
OTHER = {"directory": "other"}
DATA: Mapping[str, Mapping[tuple[str, ...], Any]] = {
    "good": {("app", "name"): "good", ("app", "port"): 80, ("app", "tags"): [], ("app", "a/b"): True},
    "other": {("app", "name"): "other", ("app", "port"): 80},
    "default": {("app", "name"): "default"},
}
SAMPLES = ConfigSamples(
    values=tuple(ValueSample(path=path, value=value) for path, value in DATA["good"].items()),
    missing=(("no", "such"),),
    required_keys=("directory",),
    bad_configs=(BadConfig(config={"directory": 5}, key="directory"), BadConfig(config={"x": "y"}, key="directory")),
    other_config=OtherConfig(config=OTHER, path=("app", "name"), value="other"),
    malformed=(("broken",),),
)


@dataclass(frozen=True)
class Ways:
    """How one correct provider does what is left to it."""

    second: str = "replaces"  # ignored, refused
    second_empty: str = "ignored"  # replaces, clears, refused, invalid
    second_bad: str = "invalid"  # ignored, refused
    after_refusal: str = "unchanged"  # cleared, default
    first_empty: str = "invalid"  # accepted
    alias: str = "follows"  # none, first
    empty_alias: str = "accepted"  # invalid
    health_before: str = "STATUS_STARTING"  # any status, or a code
    warm_up: int = 0  # Health calls after Init that answer STATUS_STARTING
    malformed_first: bool = False  # an impossible path is refused before the state is looked at
    dots: str = "INVALID_ARGUMENT"  # NOT_FOUND
    broken: str = "INTERNAL"  # DATA_LOSS, …
    shutdown: str = "gone"  # stays, refuses
    shutdown_code: str = "OK"  # INTERNAL, UNAVAILABLE


@dataclass
class Pretend:
    """The provider; `twist` may change an answer before it is given, which makes it a wrong one."""

    ways: Ways = field(default_factory=Ways)
    twist: Callable[[Pretend, Answer], Answer] = lambda _, answer: answer
    data: str = ""
    alias: str = ""
    down: bool = False
    calls: int = 0
    inits: int = 0
    healths: int = 0
    stopped: int = 0

    def init(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        alias: str | None = None,
        source_file_path: str | None = None,
        timeout: float | None = None,
    ) -> Answer:
        code = self._init(GOOD if config is None else config, "settings" if alias is None else alias)
        return self._give(Answer("Init", {"alias": alias}, code, "" if code == "OK" else "refused"))

    def _init(self, config: Mapping[str, Any], alias: str) -> str:
        if self.down:
            return self._after_shutdown()
        ways, second = self.ways, bool(self.data)
        empty, bad = not config, config not in (GOOD, OTHER)
        if second:
            how = ways.second_empty if empty else ways.second_bad if bad else ways.second
            if how == "refused":
                return "FAILED_PRECONDITION"
            if how == "ignored":
                return "OK"
            if how == "clears":
                self.data = ""
                return "OK"
            if how == "invalid":
                return self._refuse()
            if empty:
                self.data = "default"
                return "OK"
        if not alias and ways.empty_alias == "invalid":
            return self._refuse()
        if empty and ways.first_empty == "accepted":
            self.data = "default"
        elif bad:
            return self._refuse()
        else:
            self.data = str(config["directory"])
        if ways.alias == "follows" or (ways.alias == "first" and not self.alias):
            self.alias = alias
        self.inits += 1
        self.healths = 0
        return "OK"

    def _refuse(self) -> str:
        if self.data and self.ways.after_refusal != "unchanged":
            self.data = {"cleared": "", "default": "default"}[self.ways.after_refusal]
        return "INVALID_ARGUMENT"

    def _after_shutdown(self) -> str:
        return {"gone": "UNAVAILABLE", "stays": "OK", "refuses": "FAILED_PRECONDITION"}[self.ways.shutdown]

    def fetch(self, path: Sequence[str], *, timeout: float | None = None) -> Answer:
        code, value = self._fetch(tuple(path))
        return self._give(Answer("Fetch", {"path": list(path)}, code, "" if code == "OK" else "no", value=value))

    def _fetch(self, path: tuple[str, ...]) -> tuple[str, Any]:
        if self.down:
            return self._after_shutdown(), None
        known: Mapping[tuple[str, ...], Any] = DATA.get(self.data, {})
        malformed = is_malformed(path) and path not in DATA["good"]
        if not self.data and not (malformed and self.ways.malformed_first):
            return "FAILED_PRECONDITION", None
        if malformed:
            return "INVALID_ARGUMENT" if "" in path or not self.data else self.ways.dots, None
        if path == ("broken",):
            return self.ways.broken, None
        return ("OK", known[path]) if path in known else ("NOT_FOUND", None)

    def health(self, *, timeout: float | None = None) -> Answer:
        if self.down:
            return self._give(
                Answer("Health", {}, self._after_shutdown(), value={"status": "STATUS_OK", "message": ""})
            )
        if not self.data:
            before = self.ways.health_before
            if not before.startswith("STATUS"):
                return self._give(Answer("Health", {}, before, "not yet"))
            return self._give(Answer("Health", {}, "OK", value={"status": before, "message": ""}))
        self.healths += 1
        status = "STATUS_STARTING" if self.healths <= self.ways.warm_up else "STATUS_OK"
        return self._give(Answer("Health", {}, "OK", value={"status": status, "message": ""}))

    def info(self, *, timeout: float | None = None) -> Answer:
        code = self._after_shutdown() if self.down else "OK"
        return self._give(Answer("Info", {}, code, value={"alias": self.alias, "version": "1.0.0", "type": "pretend"}))

    def shutdown(self, *, timeout: float | None = None) -> Answer:
        code = self._after_shutdown() if self.down else self.ways.shutdown_code
        answer = self._give(Answer("Shutdown", {}, code))
        self.down = True
        return answer

    def stop(self) -> None:
        self.stopped += 1

    def _give(self, answer: Answer) -> Answer:
        self.calls += 1
        return answer if self.down else self.twist(self, answer)


@dataclass
class Spawner:
    """Starts pretend providers, as the fixture `nomos_spawn` starts processes."""

    make: Callable[[], Pretend]
    started: list[Pretend] = field(default_factory=list)

    def __call__(
        self, *, init: bool = False, unix: bool = False, args: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> Start:
        provider = self.make()
        self.started.append(provider)
        # It has those members that a schedule uses.
        return Start(cast("RunningProvider", provider), None)
