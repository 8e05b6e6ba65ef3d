"""Surroundings: what targets need beside them while they are tested, gone with this process however it ends."""

from __future__ import annotations

import os
import shutil
import threading
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self

from nomos_contracts.registry.interface import Registry
from nomos_reference.compute.cloud_server import CloudServer
from nomos_reference.upstream import Upstream
from pytest_nomos.host.folders import TemporaryFolders
from pytest_nomos.sweep.custody import Custody


class Surroundings:
    """Temporary folders, and for built-in targets the data and the web server that they are held against.

    Attributes:
        folders: temporary folders of this process.
        custody: what targets make outside of it.
        left_out: targets that `all` leaves out on this machine, each with the reason.
        registry: where ``registered:`` targets are looked up; None is the default registry.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        self.registry = registry
        self.folders = TemporaryFolders()
        self.custody = Custody()
        self.left_out: dict[str, str] = {}
        self._lock = threading.Lock()
        self._data: Path | None = None
        self._upstream: Upstream | None = None
        self._cloud: CloudServer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def data(self) -> Path:
        """Return a copy of the shipped data, for this process only.

        It holds what no archive can: ``data/slow.json``, a FIFO that nobody writes to, ``data/outside.json``, a link
        that leads out of ``data``, and ``data/broken.json``, which tools that check JSON files would refuse.

        Raises:
            ReaperError: this machine cannot start processes.
        """
        with self._lock:
            if self._data is None:
                self._data = self._copy()
            return self._data

    def _copy(self) -> Path:
        folder = self.folders.make("conformance")
        with resources.as_file(resources.files("nomos_reference").joinpath("conformance")) as shipped:
            shutil.copytree(shipped, folder, dirs_exist_ok=True)
        data = folder / "data"
        os.mkfifo(data / "slow.json")
        (folder / "outside.json").write_text('{"key": "outside"}\n', encoding="utf-8")
        (data / "outside.json").symlink_to(folder / "outside.json")
        (folder / "broken.json.txt").rename(data / "broken.json")
        return folder

    def upstream(self) -> str:
        """Return the URL of a web server with the shipped data, started when it is first asked for.

        Raises:
            OSError: this machine has no port for it.
        """
        with self._lock:
            if self._upstream is None:
                self._upstream = Upstream()
            return self._upstream.url

    def cloud(self) -> str:
        """Return host and port of a server of memory clouds, started when it is first asked for.

        Raises:
            OSError: this machine has no port for it.
        """
        with self._lock:
            if self._cloud is None:
                self._cloud = CloudServer()
            return self._cloud.address

    def close(self) -> None:
        """Stop the servers, remove the folders and sweep what targets left elsewhere. Idempotent."""
        upstream, self._upstream, self._data = self._upstream, None, None
        cloud, self._cloud = self._cloud, None
        if upstream is not None:
            upstream.close()
        if cloud is not None:
            cloud.close()
        self.custody.close()
        self.folders.close()
