"""Leftovers: what the provider made in any run and nobody took away, found by its labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nomos_reference.compute.orbstack_backend import Backend, Found
from nomos_reference.compute.orbstack_labels import INSTANCE, KIND, OURS, PROVIDER, RUN, SNAPSHOT, WORKER, created_at


@dataclass(frozen=True)
class Leftover:
    """One thing that is there.

    Attributes:
        kind: ``instance`` or ``snapshot``.
        id: its id.
        name: its name.
        run: the run that made it, empty for one that was made outside of runs.
        worker: the part of that run.
        created_at: when, in milliseconds since the epoch; 0 where unknown.
    """

    kind: str
    id: str
    name: str
    run: str
    worker: str
    created_at: int


class OrbstackLeftovers:
    """Finds and removes what carries the provider's label, whichever run it is of.

    Attributes:
        backend: where it looks.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def find(self) -> Sequence[Leftover]:
        """Return all that is there: instances first, then snapshots, those made last before those that they stand on.

        Raises:
            ProviderError: the engine does not answer.
        """
        return (*self._of(INSTANCE), *sorted(self._of(SNAPSHOT), key=lambda one: -one.created_at))

    def _of(self, kind: str) -> list[Leftover]:
        labels = {PROVIDER: OURS, KIND: kind}
        found = self.backend.all(labels) if kind == INSTANCE else self.backend.snapshots(labels)
        return [_leftover(one, kind) for one in found]

    def remove(self, leftover: Leftover) -> None:
        """Remove one; one that is gone by now is no error.

        Raises:
            ProviderError: it is still there.
        """
        if leftover.kind == INSTANCE:
            self.backend.remove(leftover.id)
        else:
            self.backend.remove_snapshot(leftover.id)

    def close(self) -> None:
        """Let go of connections."""
        self.backend.close()


def _leftover(found: Found, kind: str) -> Leftover:
    labels = found.labels
    return Leftover(kind, found.id, found.name, labels.get(RUN, ""), labels.get(WORKER, ""), created_at(labels))
