"""The data that built-in providers are held against, copied to where a FIFO and a link can be made."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from importlib import resources
from pathlib import Path


def conformance_folder() -> Path:
    """Return a copy of the shipped data, for this process only; it goes when the process ends.

    It holds what no archive can: ``data/slow.json``, a FIFO that nobody writes to, ``data/outside.json``, a link that
    leads out of ``data``, and ``data/broken.json``, which tools that check JSON files would refuse.
    """
    folder = Path(tempfile.mkdtemp(prefix="nomos-conformance-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with resources.as_file(resources.files("nomos_reference").joinpath("conformance")) as shipped:
        shutil.copytree(shipped, folder, dirs_exist_ok=True)
    data = folder / "data"
    os.mkfifo(data / "slow.json")
    (folder / "outside.json").write_text('{"key": "outside"}\n', encoding="utf-8")
    (data / "outside.json").symlink_to(folder / "outside.json")
    (folder / "broken.json.txt").rename(data / "broken.json")
    return folder
