"""The memory cloud as a vendor elsewhere: the same calls, over a connection of their own each, with a time limit."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator
from typing import Any

from nomos_reference.compute.cloud import Machine, MemoryCloud, Order, Snapshot, VendorError, Wish
from nomos_reference.compute.cloud_lines import LONGEST, from_line, to_line
from nomos_reference.compute.settings import MemorySettings


class RemoteCloud(MemoryCloud):
    """Asks a `CloudServer` at ``settings.cloud`` for everything. Thread-safe.

    What comes late, is cut or is refused is a `VendorError` with the code ``timeout`` or ``network``.
    """

    def __init__(self, settings: MemorySettings) -> None:
        super().__init__(settings)
        self.account = uuid.uuid4().hex
        self.patience = settings.cloud_timeout

    def connect(self, seconds: float) -> socket.socket:
        """Return a connection to the server.

        Raises:
            OSError: there is none.
        """
        host, _, port = self.settings.cloud.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=seconds)

    def ask(self, call: str, *arguments: Any) -> Any:
        """Make one call.

        Raises:
            VendorError: it failed, or there was no answer.
        """
        shown = self.settings.model_dump(mode="json")
        question = to_line({"account": self.account, "settings": shown, "call": call, "arguments": arguments})
        try:
            answer = self.exchange(question)
        except TimeoutError as error:
            raise VendorError("timeout", f"{call}: no answer within {self.patience:g} s") from error
        except (OSError, ValueError) as error:
            raise VendorError("network", f"{call}: {error}") from error
        self.clock.seconds, self.clock.start = answer["now"], answer["start"]
        if failure := answer.get("error"):
            raise VendorError(failure["code"], failure["message"], failure["retry_after"])
        return answer["value"]

    def exchange(self, question: bytes) -> dict[str, Any]:
        """Send a question and return the answer to it.

        Raises:
            TimeoutError: none came in time.
            OSError: the connection broke.
            ValueError: what came is no answer.
        """
        end = time.monotonic() + self.patience
        with self.connect(self.patience) as connection:
            connection.sendall(question)
            answer = bytearray()
            while not answer.endswith(b"\n"):
                connection.settimeout(max(0.001, end - time.monotonic()))
                piece = connection.recv(65536)
                if not piece or len(answer) > LONGEST:
                    raise ConnectionError("the connection ended in the middle of an answer")
                answer += piece
        return from_line(bytes(answer))

    def sign_of_life(self) -> None:
        """Ask for one."""
        self.ask("sign_of_life")

    def create(self, order: Order) -> Machine:
        """Create a machine, or return the one that an earlier creation with the same token has made."""
        made: Machine = self.ask("create", order)
        return made

    def terminate(self, machine_id: str) -> None:
        """Destroy a machine."""
        self.ask("terminate", machine_id)

    def find(self, machine_id: str) -> Machine | None:
        """Return a machine as far as it can be seen."""
        found: Machine | None = self.ask("find", machine_id)
        return found

    def peek(self, machine_id: str) -> Machine | None:
        """Return a machine, seen or not."""
        found: Machine | None = self.ask("peek", machine_id)
        return found

    def page(self, cursor: int) -> tuple[list[Machine], int | None]:
        """Return one page of the machines that can be seen."""
        found, following = self.ask("page", cursor)
        return found, following

    def snapshot(self, machine_id: str, name: str, description: str | None) -> Snapshot:
        """Begin a snapshot."""
        made: Snapshot = self.ask("snapshot", machine_id, name, description)
        return made

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield the snapshots that are not deleted."""
        yield from self.ask("snapshots")

    def snapshot_of(self, request_id: str) -> Snapshot:
        """Return the snapshot of a request."""
        found: Snapshot = self.ask("snapshot_of", request_id)
        return found

    def snapshot_named(self, name: str) -> Snapshot | None:
        """Return the snapshot of exactly that name."""
        found: Snapshot | None = self.ask("snapshot_named", name)
        return found

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot."""
        self.ask("delete_snapshot", snapshot_id)

    def price(self, spec: str, region: str) -> float:
        """Return what a spot hour costs."""
        return float(self.ask("price", spec, region))

    def wish(self, order: Order, price: float) -> Wish:
        """Ask for a spot machine."""
        made: Wish = self.ask("wish", order, price)
        return made

    def cancel(self, request_id: str) -> None:
        """Withdraw a spot request."""
        self.ask("cancel", request_id)

    def vanish(self, machine_id: str) -> None:
        """Take a machine away, past the account's own calls."""
        self.ask("vanish", machine_id)

    def resize(self, machine_id: str, spec: str) -> None:
        """Change a machine's spec, past the account's own calls."""
        self.ask("resize", machine_id, spec)

    def copy(self, machine_id: str) -> Machine:
        """Make a second machine like one, past the account's own calls."""
        made: Machine = self.ask("copy", machine_id)
        return made
