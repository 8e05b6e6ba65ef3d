"""A cloud in memory: machines, snapshots and spot requests, with errors of its own like any vendor's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from nomos_contracts.compute.interface import InstanceStatus, SnapshotState
from nomos_reference.compute.clock import SimulatedClock
from nomos_reference.compute.settings import MemorySettings


class VendorError(Exception):
    """What the cloud raises: its own code, a message, and after how many seconds it is worth another try."""

    def __init__(self, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


@dataclass
class Machine:
    """One machine, and when what happened to it, in seconds of the clock."""

    id: str
    spec: str
    region: str
    tags: Mapping[str, str]
    created: float
    spot: bool = False
    spot_request: str | None = None
    volume: str | None = None
    terminated: float | None = None
    token: str | None = None

    def status(self, now: float, settings: MemorySettings) -> InstanceStatus:
        """Return where it is in its life."""
        if self.terminated is not None and now >= self.terminated:
            over = now >= self.terminated + settings.stop_delay
            return InstanceStatus.TERMINATED if over else InstanceStatus.TERMINATING
        age = now - self.created
        if age >= settings.boot_delay:
            return InstanceStatus.RUNNING
        return InstanceStatus.STARTING if age >= settings.boot_delay / 3 else InstanceStatus.PENDING


@dataclass
class Snapshot:
    """One snapshot; its request has the same number."""

    id: str
    request: str
    name: str
    description: str | None
    created: float
    deleted: float | None = None

    def state(self, now: float, settings: MemorySettings) -> SnapshotState:
        """Return where it is in its life."""
        if self.deleted is not None:
            return SnapshotState.DELETING
        age = now - self.created
        if age >= settings.snapshot_delay:
            return SnapshotState.AVAILABLE
        return SnapshotState.CREATING if age >= settings.snapshot_delay / 2 else SnapshotState.PENDING


@dataclass
class Wish:
    """One spot request."""

    id: str
    spec: str
    region: str
    tags: Mapping[str, str]
    price: float
    created: float
    machine: str | None = None
    cancelled: bool = False


@dataclass
class Order:
    """What the cloud is asked to create."""

    spec: str
    region: str
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    spot: bool = False
    max_price: float | None = None
    volume: str | None = None
    subnet: str | None = None
    snapshot: str | None = None
    token: str | None = None


class MemoryCloud:
    """The cloud. Each call moves its clock by one tick; not thread-safe, its provider sees to that.

    Attributes:
        settings: how it behaves.
        clock: its time.
    """

    def __init__(self, settings: MemorySettings) -> None:
        self.settings = settings
        self.clock = SimulatedClock()
        self._machines: dict[str, Machine] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._wishes: dict[str, Wish] = {}
        self._numbers = 0
        self._calls: list[float] = []

    @property
    def now(self) -> float:
        """Seconds of its clock."""
        return self.clock.seconds

    def _number(self) -> str:
        self._numbers += 1
        # A multiplicative hash: ids are unique, look alike, and none is the beginning of another.
        return f"{self._numbers * 2654435761 % 2**32:08x}"

    def _call(self) -> None:
        self.clock.advance(self.settings.tick)
        limit = self.settings.rate_limit
        if limit is not None:
            self._calls = [at for at in self._calls if at > self.now - 1]
            if len(self._calls) >= limit:
                raise VendorError("RequestLimitExceeded", "slow down", retry_after=1.0)
            self._calls.append(self.now)
        if self.settings.token == "expired":  # noqa: S105 # a word of the simulation
            raise VendorError("ExpiredToken", "the token has expired")
        if self.settings.token != "valid":  # noqa: S105 # as above
            raise VendorError("AuthFailure", "the token is not known")
        if self.settings.outage:
            raise VendorError(self.settings.outage, f"the vendor reports: {self.settings.outage}")
        self._events()

    def _events(self) -> None:
        after = self.settings.reclaim_after
        for machine in self._machines.values():
            if after is not None and machine.spot and machine.terminated is None and self.now > machine.created + after:
                machine.terminated = machine.created + after
        for wish in self._wishes.values():
            if not wish.cancelled and wish.machine is None and self.now >= wish.created + self.settings.spot_delay:
                made = Machine(
                    f"i-{self._number()}", wish.spec, wish.region, wish.tags, self.now, spot=True, spot_request=wish.id
                )
                self._machines[made.id] = made
                wish.machine = made.id

    def _live(self, region: str | None = None) -> list[Machine]:
        return [
            one
            for one in self._machines.values()
            if one.terminated is None and (region is None or one.region == region)
        ]

    def create(self, order: Order) -> Machine:
        """Create a machine; the same token gives the same one while it lives.

        Raises:
            VendorError: it cannot.
        """
        self._call()
        if (made := self.made_for(order.token)) is not None:
            return made
        self._check(order)
        price = self.settings.specs[order.spec]
        if order.spot and order.max_price is not None and order.max_price < price * SPOT_RATE:
            raise VendorError("SpotMaxPriceTooLow", "nobody sells at that price")
        if self.settings.quota is not None and len(self._live()) >= self.settings.quota:
            raise VendorError("InstanceLimitExceeded", "the account may not have more instances")
        if self.settings.capacity is not None and len(self._live(order.region)) >= self.settings.capacity:
            raise VendorError("InsufficientInstanceCapacity", f"no machine is left in {order.region}")
        if order.spot and self.settings.reclaim_after == 0:
            raise VendorError("SpotInstanceTermination", "the machine was taken back while it started")
        machine = Machine(
            f"i-{self._number()}", order.spec, order.region, dict(order.tags), self.now, order.spot, volume=order.volume
        )
        machine.token = order.token
        self._machines[machine.id] = machine
        return machine

    def made_for(self, token: str | None) -> Machine | None:
        """Return the machine that lives and was created with *token*."""
        if token is None:
            return None
        return next((one for one in self._live() if one.token == token), None)

    def sign_of_life(self) -> None:
        """Do nothing; a cloud elsewhere answers."""

    def vanish(self, machine_id: str) -> None:
        """Take a machine away, past the account's own calls. Idempotent."""
        self._machines.pop(machine_id, None)

    def resize(self, machine_id: str, spec: str) -> None:
        """Change a machine's spec, past the account's own calls."""
        if machine_id in self._machines:
            self._machines[machine_id].spec = spec

    def copy(self, machine_id: str) -> Machine:
        """Make a second machine like one, past the account's own calls.

        Raises:
            VendorError: there is none of that id.
        """
        if machine_id not in self._machines:
            raise VendorError("InvalidInstanceID.NotFound", "there is no such instance")
        made = replace(self._machines[machine_id], id=f"i-{self._number()}")
        self._machines[made.id] = made
        return made

    def _check(self, order: Order) -> None:
        settings = self.settings
        if order.region not in settings.regions:
            raise VendorError("InvalidParameterValue", "there is no such region")
        if order.region in settings.unavailable_regions:
            raise VendorError("RegionDown", f"{order.region} is down")
        if order.spec not in settings.specs:
            raise VendorError("InvalidInstanceType", "there is no such spec")
        if order.subnet is not None and order.subnet not in settings.networks:
            raise VendorError("InvalidSubnetID.NotFound", "there is no such subnet")
        if order.volume is not None:
            if order.volume not in settings.volumes:
                raise VendorError("InvalidVolume.NotFound", "there is no such volume")
            if any(one.volume == order.volume for one in self._live()):
                raise VendorError("VolumeInUse", "the volume is attached to another instance")
        if order.snapshot is not None:
            found = self._snapshots.get(order.snapshot)
            if found is None or found.deleted is not None:
                raise VendorError("InvalidSnapshot.NotFound", "there is no such snapshot")
            if found.state(self.now, settings) is not SnapshotState.AVAILABLE:
                raise VendorError("IncorrectState", "the snapshot is not available yet")

    def terminate(self, machine_id: str) -> None:
        """Destroy a machine; one that is terminated stays so.

        Raises:
            VendorError: there was never one of that id, or it is forgotten.
        """
        self._call()
        machine = self._machines.get(machine_id)
        if machine is None or self._forgotten(machine):
            raise VendorError("InvalidInstanceID.NotFound", "there is no such instance")
        if machine.terminated is None:
            machine.terminated = self.now

    def find(self, machine_id: str) -> Machine | None:
        """Return a machine as far as it can be seen."""
        self._call()
        machine = self._machines.get(machine_id)
        return machine if machine is not None and self._visible(machine) else None

    def peek(self, machine_id: str) -> Machine | None:
        """Return a machine, seen or not, without a call."""
        return self._machines.get(machine_id)

    def page(self, cursor: int) -> tuple[list[Machine], int | None]:
        """Return one page of the machines that can be seen from *cursor* on, and the cursor of the next one.

        A cursor is a place among all machines ever made, so that none is left out when others are forgotten meanwhile.
        """
        self._call()
        places = [(at, one) for at, one in enumerate(self._machines.values()) if at >= cursor and self._visible(one)]
        size = self.settings.page
        return [one for _, one in places[:size]], places[size][0] if len(places) > size else None

    def _visible(self, machine: Machine) -> bool:
        return self.seen >= machine.created and not self._forgotten(machine)

    @property
    def seen(self) -> float:
        """The time whose state a read shows."""
        return self.now - self.settings.lag

    def _forgotten(self, machine: Machine) -> bool:
        return machine.terminated is not None and self.seen >= machine.terminated + self.settings.forget_after

    def snapshot(self, machine_id: str, name: str, description: str | None) -> Snapshot:
        """Begin a snapshot.

        Raises:
            VendorError: there is no such machine, or a snapshot of that name.
        """
        self._call()
        machine = self._machines.get(machine_id)
        if machine is None or machine.terminated is not None:
            raise VendorError("InvalidInstanceID.NotFound", "there is no such instance")
        if any(one.name == name for one in self.snapshots()):
            raise VendorError("InvalidSnapshot.Duplicate", "there is a snapshot of that name")
        number = self._number()
        made = Snapshot(f"snap-{number}", f"req-{number}", name, description, self.now)
        self._snapshots[made.id] = made
        return made

    @property
    def made_snapshots(self) -> tuple[Snapshot, ...]:
        """Every snapshot ever made."""
        return tuple(self._snapshots.values())

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield the snapshots that are not deleted."""
        yield from (one for one in self._snapshots.values() if one.deleted is None)

    def snapshot_of(self, request_id: str) -> Snapshot:
        """Return the snapshot of a request.

        Raises:
            VendorError: there is no such request, or its snapshot is deleted.
        """
        self._call()
        for one in self.snapshots():
            if one.request == request_id:
                return one
        raise VendorError("InvalidSnapshot.NotFound", "there is no such request")

    def snapshot_named(self, name: str) -> Snapshot | None:
        """Return the snapshot of exactly that name."""
        self._call()
        return next((one for one in self.snapshots() if one.name == name), None)

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot.

        Raises:
            VendorError: there is none of that id.
        """
        self._call()
        found = self._snapshots.get(snapshot_id)
        if found is None:
            raise VendorError("InvalidSnapshot.NotFound", "there is no such snapshot")
        found.deleted = self.now if found.deleted is None else found.deleted

    def price(self, spec: str, region: str) -> float:
        """Return what a spot hour costs in dollars.

        Raises:
            VendorError: there is no such spec or region.
        """
        self._call()
        self._check(Order(spec, region))
        return round(self.settings.specs[spec] * SPOT_RATE, 6)

    def wish(self, order: Order, price: float) -> Wish:
        """Ask for a spot machine.

        Raises:
            VendorError: the price is too low, or the order cannot be met.
        """
        self._call()
        self._check(order)
        if price < self.settings.specs[order.spec] * SPOT_RATE:
            raise VendorError("SpotMaxPriceTooLow", "nobody sells at that price")
        made = Wish(f"sir-{self._number()}", order.spec, order.region, dict(order.tags), price, self.now)
        self._wishes[made.id] = made
        return made

    def cancel(self, request_id: str) -> None:
        """Withdraw a spot request; its machine, if it has one, stays.

        Raises:
            VendorError: there is none of that id.
        """
        self._call()
        wish = self._wishes.get(request_id)
        if wish is None:
            raise VendorError("InvalidSpotInstanceRequestID.NotFound", "there is no such request")
        wish.cancelled = True


SPOT_RATE = 0.4
"""Share of the usual price that a spot machine costs."""
