from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pytest

from nomos_contracts.functions import UnknownInterfaceError, function_interface, interface_of
from parcels import INTERFACE, Parcel


def test_methods_are_read_off_the_protocols_with_their_capabilities() -> None:
    methods = INTERFACE.methods
    assert list(methods)[:2] == ["send", "count"]
    assert methods["send"].required == ("parcel",)
    assert methods["send"].optional == ("express",)
    assert methods["send"].returns is Parcel
    assert methods["take_back"].capability == "returns"
    assert [one.name for one in INTERFACE.of("insurance")] == ["insure"]
    assert {name for name, one in methods.items() if one.idempotent} == {"count", "find"}
    assert {name for name, one in methods.items() if one.streaming} == {"each", "each_in_time"}
    assert INTERFACE.capabilities == ("returns", "insurance", "pickup")


def test_a_method_with_live_objects_has_no_wire_form() -> None:
    class Registry(Protocol):
        def register(self, name: str, factory: Callable[[], object]) -> None: ...

        def names(self) -> tuple[str, ...]: ...

    methods = interface_of("registry", Registry).methods
    assert not methods["register"].has_wire_form
    assert methods["names"].has_wire_form


def test_two_protocols_cannot_have_one_method() -> None:
    class Core(Protocol):
        def run(self) -> None: ...

    with pytest.raises(TypeError, match="two protocols have the method run"):
        interface_of("x", Core, supports={"more": Core})


def test_an_idempotent_method_has_to_exist() -> None:
    class Core(Protocol):
        def run(self) -> None: ...

    with pytest.raises(TypeError, match="there is no method walk"):
        interface_of("x", Core, idempotent=("walk",))


@pytest.mark.parametrize("name", ["nowhere", "config", "os.path", "../x", ""])
def test_an_interface_that_does_not_exist_is_told(name: str) -> None:
    with pytest.raises(UnknownInterfaceError):
        function_interface(name)
