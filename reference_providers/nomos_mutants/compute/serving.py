"""Mutants whose program is wrong, not their object: what it reads, and from when on it answers."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

from nomos_contracts.compute.interface import BootstrapConfig, InstanceStatus, NetworkConfig, SpawnOptions
from nomos_contracts.embodiment import Embodiment
from nomos_contracts.exposure import ServedInterface
from nomos_contracts.functions import Method
from nomos_contracts.hints import fields_of
from nomos_mutants.compute.original import Original
from nomos_mutants.functions import function_mutant
from nomos_proto.errors import ProviderError
from nomos_proto.kinds import is_map
from nomos_proto.provider import CallContext
from nomos_proto.v2.provider_pb2 import Value
from nomos_proto.values import from_value


class _Reading(ServedInterface):
    """Changes the options of spawn before they are read."""

    def options(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what is read."""
        return given

    def _runner(self, method: Method) -> Callable[[Mapping[str, Any], CallContext], Any]:
        run = super()._runner(method)

        def changed(args: Mapping[str, Any], context: CallContext) -> Any:
            given = args.get("options")
            return run({**args, "options": self.options(given)} if is_map(given) else args, context)

        return changed if method.name == "spawn" else run


class _Dropping(_Reading):
    def options(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep what is known."""
        return {name: value for name, value in given.items() if name in fields_of(SpawnOptions)}


class _Filling(_Reading):
    def options(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the zero of its language for what is missing."""
        return {"instance_id": 0, **given}


class _Parsing(_Reading):
    def options(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make a number of a text that is one."""
        size = given.get("disk_size_gb")
        return {**given, "disk_size_gb": int(size)} if isinstance(size, str) and size.isdigit() else given


class _Shallow(_Reading):
    def options(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep what is known of the network."""
        network = given.get("network_config")
        if not is_map(network):
            return given
        kept = {name: value for name, value in network.items() if name in fields_of(NetworkConfig)}
        return {**given, "network_config": kept}


class _Unbounded(_Reading):
    def options(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take a price without bounds for none."""
        price = given.get("max_spot_price")
        endless = isinstance(price, float) and not math.isfinite(price)
        return {name: value for name, value in given.items() if name != "max_spot_price"} if endless else given


class _Quoting(_Reading):
    def options(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Quote the record in which there is a field too much."""
        script = given.get("bootstrap")
        if is_map(script) and not set(script) <= set(fields_of(BootstrapConfig)):
            raise ProviderError(f"options.bootstrap: a field is not known: {script}", "INVALID_SPEC")
        return given


class _Absent(ServedInterface):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        patch("nomos_proto.calls.from_args", self.given).start()

    @classmethod
    def given(cls, args: Mapping[str, Value]) -> dict[str, Any]:
        """Read what says something."""
        return {name: cls._read(value) for name, value in args.items() if value.WhichOneof("kind")}

    @classmethod
    def _read(cls, value: Value) -> Any:
        return cls.given(value.map_value.fields) if value.HasField("map_value") else from_value(value)


class _Another(_Reading):
    def options(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Refuse a text for a number before anybody else does."""
        if isinstance(given.get("disk_size_gb"), str):
            raise ProviderError("options.disk_size_gb: must be a number", "INVALID_SPEC", provider="reader")
        return given


class _Sharing(ServedInterface):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._args: Mapping[str, Any] = {}

    def _runner(self, method: Method) -> Callable[[Mapping[str, Any], CallContext], Any]:
        run = super()._runner(method)

        def shared(args: Mapping[str, Any], context: CallContext) -> Any:
            """Keep the configuration in a field while a template is read."""
            self._args = args
            threading.Event().wait(0.002)
            return run(self._args, context)

        return shared if method.name == "generate_bootstrap" else run


class _Nulling(ServedInterface):
    def _runner(self, method: Method) -> Callable[[Mapping[str, Any], CallContext], Any]:
        run = super()._runner(method)

        def filled(args: Mapping[str, Any], context: CallContext) -> Any:
            """Give each instance that has ended every field."""
            ended = InstanceStatus.TERMINATED
            return [{"ip": None, **one} if one["status"] == ended else one for one in run(args, context)]

        return filled if method.name == "list" else run


class _Early(ServedInterface):
    def _running(self) -> Embodiment:
        if self._embodiment is None:
            self.init("early", {}, "", context=CallContext(5.0))
        return super()._running()


@function_mutant("compute", "CMP-SHAPE-003", defect="fields that are not known are dropped", served=_Dropping)
class DropsFields(Original):
    """Reads what it knows."""


@function_mutant(
    "compute", "CMP-SHAPE-003", "missing", defect="a needed field that is missing has its zero value", served=_Filling
)
class FillsFields(Original):
    """Reads into a record of zeros."""


@function_mutant("compute", "CMP-SHAPE-003", "text", defect="a text of digits is taken for a number", served=_Parsing)
class ParsesTexts(Original):
    """Reads numbers wherever they are."""


@function_mutant(
    "compute", "CMP-SHAPE-003", "nested", defect="fields of a network that are not known are dropped", served=_Shallow
)
class DropsNestedFields(Original):
    """Is strict about the outermost record."""


@function_mutant(
    "compute", "CMP-SHAPE-003", "infinite", defect="a highest price of infinity or NaN is none", served=_Unbounded
)
class TakesInfinity(Original):
    """Looks at the kind of a number alone."""


@function_mutant(
    "compute",
    "CMP-BOOT-004",
    "shared",
    defect="of several scripts at once each is that of the last one",
    served=_Sharing,
)
class SharesConfigurations(Original):
    """Keeps what it works on in a field."""


@function_mutant("compute", "CMP-SHAPE-003", "kind", defect="a value without a kind is absent", served=_Absent)
class TakesNothing(Original):
    """Asks each value for the kind that it wants."""


@function_mutant(
    "compute", "CMP-ERROR-004", "read", defect="what cannot be read is refused under another name", served=_Another
)
class NamesReader(Original):
    """Has a part of its own that reads."""


@function_mutant(
    "compute", "CMP-ERROR-005", "unknown", defect="a failure about an unknown field shows its record", served=_Quoting
)
class QuotesRecords(Original):
    """Shows what it could not read."""


@function_mutant(
    "compute", "CMP-SHAPE-001", "null", defect="an address that an instance has no longer is null", served=_Nulling
)
class ShowsNull(Original):
    """Fills a record."""


@function_mutant("compute", "CMP-SHAPE-004", defect="a call before Init finds a provider with defaults", served=_Early)
class WorksEarly(Original):
    """Makes itself where Init has not."""
