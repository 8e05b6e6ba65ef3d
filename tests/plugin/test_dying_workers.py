"""A worker that dies in the middle of a spawn: the run terminates what it left, on any compute provider."""

from __future__ import annotations

from pathlib import Path

from plugin.conftest import Runner

PROVIDER = '''
"""Keeps its instances in a folder, as a vendor would; the first spawn in a worker process is the last thing it does."""

import json, os, signal, time, uuid
from dataclasses import asdict
from pathlib import Path

from nomos_contracts.compute.interface import BootstrapFormat, InstanceStatus, ListFilter, ProviderInstance
from nomos_reference.compute.bootstrap import generate
from nomos_reference.compute.filters import matching


class Provider:
    name = "folder"
    capabilities = frozenset()

    def __init__(self, config):
        self.folder = Path(config["folder"])

    async def spawn(self, options):
        made = ProviderInstance(uuid.uuid4().hex, InstanceStatus.RUNNING, options.spec, int(time.time() * 1000))
        text = json.dumps([dict(options.tags or {}), asdict(made)])
        (self.folder / made.id).write_text(text)
        if "PYTEST_XDIST_WORKER" in os.environ:
            (self.folder.parent / "died").write_text(text)
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    def _all(self):
        for path in self.folder.iterdir():
            tags, fields = json.loads(path.read_text())
            yield tags, ProviderInstance(**{**fields, "status": InstanceStatus(fields["status"])})

    async def terminate(self, provider_id, region=None):
        (self.folder / provider_id).unlink(missing_ok=True)

    async def list(self, filter=None):
        return matching(self._all(), filter or ListFilter(), provider="folder")

    async def get(self, provider_id, region=None):
        return next((one for _, one in self._all() if one.id == provider_id), None)

    def generate_bootstrap(self, cfg):
        return generate(cfg, BootstrapFormat.SHELL, provider="folder")


def make(config):
    return Provider(config)
'''

SETTINGS = """
interface = "compute"

[config]
folder = "{here}/instances"

[samples]
spec = "small"
"""


def test_what_a_worker_spawned_when_it_died_is_terminated_at_the_end_of_the_run(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "folder_provider.py").write_text(PROVIDER)
    (tmp_path / "nomos.toml").write_text(SETTINGS)
    (tmp_path / "instances").mkdir()
    somebody_elses = tmp_path / "instances" / "f00"
    kept = '[{}, {"id": "f00", "status": "running", "spec": "small", "created_at": 1}]'
    somebody_elses.write_text(kept)
    ran = author(
        "--nomos-provider=python:folder_provider:make", "-k", "CMP-SPAWN-001", "-n", "1", "--max-worker-restart=0"
    )
    assert (tmp_path / "died").exists(), ran.text
    assert ran.code not in {0, 5}, ran.text
    assert [path.name for path in (tmp_path / "instances").iterdir()] == ["f00"]
    assert somebody_elses.read_text() == kept
