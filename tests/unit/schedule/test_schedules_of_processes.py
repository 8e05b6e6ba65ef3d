"""Random schedules against real provider processes."""

from __future__ import annotations

import json
import random
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from nomos_contracts.config.samples import BadConfig, ConfigSamples, OtherConfig, ValueSample
from nomos_contracts.config.schedules import RandomSchedulesContract
from nomos_contracts.provider import Start, TargetFacts
from nomos_contracts.vectors import vectors
from nomos_contracts.violation import Violation
from pytest_nomos.host.host import ProviderHost
from pytest_nomos.host.launch import Launch, Setup

FILES = (sys.executable, "-m", "nomos_reference", "config/files")
DATA = {"name": "app", "port": 80, "tags": [], "extra": {}, "text": "größe 漢字", "none": None}

WAVERER = """
    import random
    from nomos_proto.serve import run
    from nomos_reference.config.files_provider import FilesProvider

    class Waverer(FilesProvider):
        def fetch(self, path, *, context):
            value = super().fetch(path, context=context)
            return "wrong" if random.random() < 0.03 else value

    run(Waverer())
"""

CRASHER = """
    import os
    from nomos_proto.serve import run
    from nomos_reference.config.files_provider import FilesProvider

    class Crasher(FilesProvider):
        inits = 0

        def init(self, alias, config, source_file_path, *, context):
            self.inits += 1
            if self.inits == 3:
                os._exit(3)
            super().init(alias, config, source_file_path, context=context)

    run(Crasher())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in (("good", DATA), ("other", {"name": "other"})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.json").write_text(json.dumps(data))
    return tmp_path


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ProviderHost]:
    with ProviderHost(folder=tmp_path) as host:
        yield host


class Processes:
    """What the fixture `nomos_spawn` is in a run."""

    def __init__(self, host: ProviderHost, folder: Path, command: Sequence[str]) -> None:
        self.host = host
        self.setup = Setup(config={"directory": str(folder / "good")})
        self.command = tuple(command)
        self.count = 0

    def __call__(
        self, *, init: bool = False, unix: bool = False, args: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> Start:
        self.count += 1
        return self.host.start(Launch(command=(*self.command, *args)), f"target-{self.count}", self.setup)


def check(host: ProviderHost, folder: Path, command: Sequence[str], shrink: float = 1.0) -> dict[str, object]:
    samples = ConfigSamples(
        values=tuple(ValueSample(path=("app", key), value=value) for key, value in DATA.items()),
        missing=(("app", "nope"), ("nope",)),
        required_keys=("directory",),
        bad_configs=(
            BadConfig(config={"directory": 5}, key="directory"),
            BadConfig(config={"x": "y"}, key="directory"),
        ),
        other_config=OtherConfig(config={"directory": str(folder / "other")}, path=("app", "name"), value="other"),
    )
    observed: dict[str, object] = {}
    RandomSchedulesContract().test_calls_in_any_order_are_answered_as_the_protocol_says(
        Processes(host, folder, command),
        samples,
        TargetFacts("target", tuple(command), None, "standard", {"schedule_shrink": shrink}),
        random.Random(1),
        observed.__setitem__,
    )
    assert not any(provider.alive() for provider in host.providers.values())
    return observed


def script(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "provider.py"
    path.write_text(textwrap.dedent(text))
    return sys.executable, str(path)


def test_the_reference_provider_is_acquitted(host: ProviderHost, folder: Path):
    assert check(host, folder, FILES) == {"random schedules": "640 of 640 steps compared in 3 schedules"}


def test_a_binary_that_answers_three_percent_wrongly_is_convicted_as_a_failure_of_the_provider(
    host: ProviderHost, folder: Path
):
    with pytest.raises(Violation) as caught:
        check(host, folder, script(folder, WAVERER))
    answers = caught.value.answers
    assert (answers[-1].method, answers[-1].code) == ("Fetch", "OK")
    # The last one may be the right one, after a wrong one that another configuration would allow.
    assert any(answer.value == "wrong" for answer in answers)
    assert caught.value.evidence["fails"].endswith(" of 10")
    assert not any(provider.alive() for provider in host.providers.values())


def test_a_binary_that_dies_in_its_third_init_is_told_in_three_steps(host: ProviderHost, folder: Path):
    with pytest.raises(Violation) as caught:
        check(host, folder, script(folder, CRASHER), shrink=20)
    assert [step["kind"] for step in caught.value.evidence["schedule"]] == ["init", "init", "init"]
    assert caught.value.answers[-1].code == "UNAVAILABLE"
    assert caught.value.evidence["fails"] == "10 of 10"
    assert not any(provider.alive() for provider in host.providers.values())


def test_the_reference_provider_refuses_every_negative_vector_with_an_allowed_code(host: ProviderHost, folder: Path):
    provider = Processes(host, folder, FILES)().provider
    assert provider is not None
    assert provider.init().ok
    methods = {
        "nomos.provider.v1.InitRequest": "Init",
        "nomos.provider.v1.FetchRequest": "Fetch",
        "nomos.provider.v2.CallRequest": "/nomos.provider.v2.ProviderService/Call",
    }
    for case in vectors("negative")["refused"]:
        if case["refused_by"] == "provider":
            answer = provider.raw(methods[case["message"]], bytes.fromhex(case["hex"]))
            assert answer.code in case["codes"], (case["name"], answer.summary)
    assert provider.fetch(("app", "port")).value == 80


def test_the_reference_provider_reads_every_tolerated_vector(host: ProviderHost, folder: Path):
    provider = Processes(host, folder, FILES)().provider
    assert provider is not None
    assert provider.init().ok
    for case in vectors("v1")["tolerated"]:
        kind = case["message"].rsplit(".", 1)[1]
        if kind in {"FetchRequest", "InfoRequest"}:
            answer = provider.raw(kind.removesuffix("Request"), bytes.fromhex(case["hex"]))
            assert answer.code == ("OK" if kind == "InfoRequest" else "NOT_FOUND"), (case["name"], answer.summary)
