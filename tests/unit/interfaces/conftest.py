from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nomos_contracts.faces import InProcessFace, WireFace
from nomos_contracts.provider import InterfaceProvider
from parcels import INTERFACE, Office
from pytest_nomos.host.host import ProviderHost
from pytest_nomos.host.launch import Launch, Setup

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def host() -> Iterator[ProviderHost]:
    with ProviderHost() as found:
        yield found


@pytest.fixture(params=["inproc", "wire"])
def make_face(request: pytest.FixtureRequest) -> Iterator[Callable[[], InterfaceProvider]]:
    made: list[InterfaceProvider] = []

    def in_process() -> InterfaceProvider:
        return InProcessFace(Office({"capacity": 3}), INTERFACE, name="office", seconds=20)

    def over_the_wire() -> InterfaceProvider:
        host: ProviderHost = request.getfixturevalue("host")
        command = (sys.executable, "-m", "nomos_proto", "parcels:served", "--path", str(TESTS))
        start = host.start(Launch(command=command), f"office-{len(made)}-{id(made)}", Setup(config={"capacity": 3}))
        assert start.provider is not None, start.error
        assert start.provider.init().ok
        return WireFace(start.provider, INTERFACE, seconds=20, on_close=start.provider.stop)

    def make() -> InterfaceProvider:
        face = in_process() if request.param == "inproc" else over_the_wire()
        made.append(face)
        return face

    yield make
    for face in made:
        face.close()


@pytest.fixture
def face(make_face: Callable[[], InterfaceProvider]) -> InterfaceProvider:
    return make_face()
