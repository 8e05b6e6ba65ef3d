"""Experiments with a vendor: drift that is done and undone, faults on the way, and what is left of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nomos_contracts.compute.fleet import bootstrap
from nomos_contracts.compute.interface import INTERFACE, ListFilter, ProviderRegistration, SpawnOptions
from nomos_contracts.compute.samples import Upstream
from nomos_contracts.drift import Drifted
from nomos_contracts.faces import InProcessFace
from nomos_contracts.fault import (
    Changed,
    Deleted,
    Down,
    DriftFault,
    Duplicated,
    FaultError,
    HalfCreated,
    Latency,
    parse_fault,
    read_fault,
)
from nomos_contracts.provider import Answer, InterfaceProvider
from nomos_contracts.violation import Blocked, NotApplicable, Violation
from nomos_reference.compute.cloud_server import CloudServer
from nomos_reference.compute.memory import MemoryHooks, MemoryProvider, make
from pytest_nomos.chaos.journal import Planned, read_journal
from pytest_nomos.chaos.vendor import LiveVendor, proxied
from pytest_nomos.session.background import background_fault
from pytest_nomos.session.chaos import WorkerChaos
from pytest_nomos.session.vendor import SampledVendor

OPTIONS = SpawnOptions("small", "control", 1, bootstrap(), tags={"once": "yes"})


def steady(provider: InterfaceProvider) -> Answer:
    return provider.invoke("list", filter=None)


def spawned(face: InProcessFace, number: int = 1) -> str:
    return str(face.invoke("spawn", options=replace(OPTIONS, instance_id=number)).value.id)


def listed(face: InterfaceProvider) -> set[str]:
    return {one.id for one in face.invoke("list", filter=ListFilter()).value}


class Workbench:
    """A vendor of memory, and what its experiments leave."""

    def __init__(self, folder: Path, upstream: Upstream | None) -> None:
        self.journal = folder / "chaos.jsonl"
        self.chaos = WorkerChaos(lambda: self.journal, 1)
        self.timelines: list[dict[str, Any]] = []
        self.faces: list[InProcessFace] = []
        workshop = SampledVendor(upstream, self.chaos, self.face, self.timelines.append)
        self.vendor = LiveVendor(workshop, "CMP-CHAOS-001", "memory")

    def face(self, changes: Mapping[str, Any], subject: Any = None) -> InProcessFace:
        self.faces.append(InProcessFace(subject or make(changes), INTERFACE, name="memory"))
        return self.faces[-1]

    def close(self) -> None:
        for face in self.faces:
            face.close()
        self.chaos.close()


@pytest.fixture
def cloud() -> Iterator[CloudServer]:
    before = set(threading.enumerate())
    with CloudServer() as server:
        yield server
    assert not {one.name for one in set(threading.enumerate()) - before if one.name == "nomos-cloud"}


@pytest.fixture
def bench(tmp_path: Path, cloud: CloudServer) -> Iterator[Workbench]:
    upstream = Upstream(address=cloud.address, config={"cloud": "{address}", "cloud_timeout": 1})
    made = Workbench(tmp_path, upstream)
    yield made
    made.close()


@pytest.mark.parametrize(
    "fault", [Deleted(instance="i-1"), Changed(instance="4abc"), Duplicated(instance="a:b/c"), HalfCreated()], ids=repr
)
def test_drift_is_a_fault_that_is_written_and_read_back(fault: DriftFault) -> None:
    assert parse_fault(fault.words) == fault
    assert read_fault(fault.model_dump(mode="json")) == fault
    with pytest.raises(FaultError, match="one instance"):
        background_fault(fault.words)


def test_each_drift_is_done_and_undone(bench: Workbench) -> None:
    face = bench.face({})
    one = spawned(face)
    with bench.vendor.drift(face, Deleted(instance=one)):
        assert one not in listed(face)
    other = spawned(face, 2)
    with bench.vendor.drift(face, Changed(instance=other)) as done:
        assert done.attribute == "spec"
        assert face.invoke("get", provider_id=other).value.spec != "small"
    assert face.invoke("get", provider_id=other).value.spec == "small"
    with bench.vendor.drift(face, Duplicated(instance=other)) as done:
        assert listed(face) == {other, done.instance}
    with bench.vendor.drift(face, HalfCreated(), replace(OPTIONS, instance_id=3)) as done:
        assert spawned(face, 3) == done.instance
        assert listed(face) == {other, done.instance}
    assert listed(face) == {other}
    planned = [
        read_fault(entry.fault).words for entry in read_journal(bench.journal).entries if isinstance(entry, Planned)
    ]
    assert read_journal(bench.journal).open == ()
    assert planned == [f"deleted({one})", f"changed({other})", f"duplicated({other})", "half_created"]


def test_a_target_that_offers_no_drift_is_not_tried(bench: Workbench) -> None:
    provider = MemoryProvider()
    face = bench.face({}, ProviderRegistration(provider, MemoryHooks(provider)))
    with (
        pytest.raises(NotApplicable, match="offers no drift"),
        bench.vendor.drift(face, Deleted(instance="i")),
    ):
        pass


class Clumsy:
    """Drift that fails."""

    def __init__(self, *, undo: bool) -> None:
        self.undo = undo

    def delete(self, instance: str, /) -> Drifted:
        if self.undo:
            return Drifted(instance, undo=self.fail)
        raise ConnectionError("nobody there")

    def fail(self) -> None:
        raise LookupError("it is gone")


@pytest.mark.parametrize(("undo", "words"), [(False, "nobody there"), (True, "it is gone")])
def test_drift_that_fails_blocks_and_says_why(bench: Workbench, undo: bool, words: str) -> None:
    provider = MemoryProvider()
    registration: Any = ProviderRegistration(provider, MemoryHooks(provider), drift=Clumsy(undo=undo))  # type: ignore[arg-type] # it lacks the others
    face = bench.face({}, registration)
    with pytest.raises(Blocked, match=words), bench.vendor.drift(face, Deleted(instance="i")):
        pass
    registration.drift.undo = False
    registration.drift.fail = lambda: None
    for held in bench.chaos.stack.held:
        held._applied._over = True  # type: ignore[attr-defined] # what cannot be undone is told again at the end


def test_a_provider_that_is_told_of_a_proxy_is_behind_it(bench: Workbench) -> None:
    with bench.vendor.experiment(steady) as x:
        assert x.connections > 0
        with x.inject(Down()) as fault:
            answer = steady(x.provider)
            assert (answer.code, answer.details["code"]) == ("UNAVAILABLE", "NETWORK_ERROR")
            fault.bit("list failed")
        assert x.recover(within=5) < 5
    timeline = bench.timelines[0]
    assert [bar["fault"] for bar in timeline["faults"]] == ["down"]
    assert timeline["recovery"]["met"]


def test_a_fault_that_nobody_felt_shows_nothing(bench: Workbench) -> None:
    with bench.vendor.experiment(steady) as x:
        with x.inject(Latency(ms=1)):
            pass
        with pytest.raises(Blocked, match="never bit"):
            x.recover(within=5)


def test_a_provider_that_does_not_come_back_is_a_violation(bench: Workbench, cloud: CloudServer) -> None:
    with bench.vendor.experiment(steady) as x:
        with x.inject(Down()) as fault:
            fault.bit("told so")
            cloud.close()
        with pytest.raises(Violation, match="is answered"):
            x.recover(within=0.1)


def test_a_provider_that_goes_elsewhere_is_blocked(tmp_path: Path, cloud: CloudServer) -> None:
    bench = Workbench(tmp_path, Upstream(address=cloud.address, config={"boot_delay": 0}))
    with pytest.raises(Blocked, match="does not reach its vendor"), bench.vendor.experiment(steady):
        pass
    bench.close()


def test_nobody_says_where_the_vendor_is(tmp_path: Path) -> None:
    for upstream, words in (
        (None, "gives no sample"),
        (Upstream(told="url", config={"cloud": "{address}"}), "tells no 'url'"),
    ):
        bench = Workbench(tmp_path, upstream)
        with pytest.raises(Blocked, match=words), bench.vendor.experiment(steady):
            pass
        bench.close()


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("unix:///run/engine.sock", "unix:/run/engine.sock"),
        ("tcp://127.0.0.1:2375", "127.0.0.1:2375"),
        ("http://cloud.local/", "cloud.local:80"),
        ("127.0.0.1:80", "127.0.0.1:80"),
    ],
)
def test_an_address_is_read_as_its_provider_writes_it(address: str, found: str) -> None:
    assert proxied(address) == found


def test_an_address_before_which_no_proxy_can_stand_is_not_tried() -> None:
    with pytest.raises(NotApplicable, match="ssh"):
        proxied("ssh://someone@host")
    with pytest.raises(Blocked, match=r"samples\.upstream"):
        proxied("nowhere")
