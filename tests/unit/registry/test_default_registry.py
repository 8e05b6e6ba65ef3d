"""The default registry: what is in it, what others put into it, and that nobody has to use it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from nomos_contracts.registry.interface import ErrInvalidConfig, ErrProviderExists, FactoryContext
from nomos_proto.provider import CallContext
from nomos_reference import PROVIDERS
from nomos_reference.registry import MemoryRegistry, create, default_registry, names
from nomos_reference.registry.builtin import register_built_in
from nomos_reference.registry.entry_points import register_found
from nomos_reference.registry.package import RegistryPackage
from pytest_nomos.settings import Settings
from pytest_nomos.targets.plan import TargetError, plan_targets
from pytest_nomos.targets.surroundings import Surroundings

ACME = """
from nomos_proto.errors import ProviderError
from nomos_proto.provider import Health, HealthStatus, Info

class Acme:
    def __init__(self):
        self.alias = ""
    def init(self, alias, config, source_file_path, *, context):
        self.alias = alias
    def fetch(self, path, *, context):
        if not self.alias:
            raise ProviderError("call Init first", "INVALID_STATE")
        raise ProviderError(f"nothing at {path}", "NOT_FOUND")
    def info(self):
        return Info(self.alias, "1.0.0", "acme")
    def health(self):
        return Health(HealthStatus.OK)
    def shutdown(self):
        pass

def new_acme(ctx, config):
    return Acme()
"""

Install = Callable[[dict[str, str], str], None]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def install(site: Path) -> Install:
    """Lay the files of a foreign package and its metadata into a folder on the path, as its wheel would."""

    def lay(modules: dict[str, str], points: str) -> None:
        info = site / "acme_providers-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-providers\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[nomos.providers]\n{dedent(points)}\n")
        for name, text in modules.items():
            (site / f"{name}.py").write_text(dedent(text))

    return lay


@pytest.fixture
def run(site: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program in a fresh interpreter that has the folder on its path."""

    def start(*command: str, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "NOMOS_"))}
        env["PYTHONPATH"] = str(site)
        return subprocess.run(
            [sys.executable, *command], cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120
        )

    return start


def test_the_providers_of_the_kit_are_in_it() -> None:
    assert {*PROVIDERS, "compute/memory", "registry/memory"} <= set(names())


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_what_it_says_of_a_provider_is_what_the_provider_says(name: str) -> None:
    package, _, provider = name.partition("/")
    info = default_registry().get_provider_info(package, provider)
    described: Any = PROVIDERS[name]()
    assert (info.name, info.type) == (provider, described.info().type)
    assert info.config_schema["then"] == described.describe().config_schema


def test_a_configuration_provider_is_made_ready_for_use(tmp_path: Path) -> None:
    (tmp_path / "app.json").write_text('{"name": "bookshop"}')
    made = create("config/files", {"directory": str(tmp_path)})
    assert made.fetch(["app", "name"], context=CallContext(5.0)) == "bookshop"
    assert made.info().alias == "files"


def test_a_bad_configuration_reaches_no_provider() -> None:
    with pytest.raises(ErrInvalidConfig) as caught:
        create("config/files", {"directory": 5, "depth": 1})
    assert set(caught.value.fields) == {"directory", "depth"}


def test_another_registry_is_another_world() -> None:
    mine = MemoryRegistry()
    register_built_in(mine)
    mine.register_provider("config", "mine", lambda ctx, config: "mine")
    assert create("config/mine", {}, registry=mine) == "mine"
    assert "config/mine" not in names()
    assert "config/mine" in names(mine)


def test_a_factory_finds_its_registry_in_its_context() -> None:
    mine = MemoryRegistry()
    register_built_in(mine)
    seen: list[object] = []
    mine.register_provider("config", "nosy", lambda ctx, config: seen.append(ctx.registry) or "made")
    create("config/nosy", {}, registry=mine)
    create("config/nosy", {}, registry=mine, ctx=FactoryContext(registry=None))
    assert seen == [mine, None]


def test_a_package_of_a_registry_is_found_when_it_is_used() -> None:
    asked: list[MemoryRegistry] = []

    def find() -> MemoryRegistry:
        asked.append(MemoryRegistry())
        asked[-1].add_package("config")
        return asked[-1]

    package = RegistryPackage("config", find)
    assert asked == []
    package.register_global("x", lambda ctx, config: "x")
    assert asked[-1].list_providers("config") == ["x"]


def test_starting_a_provider_does_not_wait_for_the_registry() -> None:
    code = (
        "import sys, nomos_reference; nomos_reference.PROVIDERS['config/json']();"
        "print(sorted(name for name in sys.modules if 'registry' in name or name == 'pydantic'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_listing_names_imports_no_provider() -> None:
    code = (
        "import sys; from nomos_reference.registry.builtin import register_built_in;"
        "from nomos_reference.registry.memory import MemoryRegistry; from nomos_reference.registry import names;"
        "mine = MemoryRegistry(); register_built_in(mine); assert len(names(mine)) >= 6;"
        "print(sorted(n for n in sys.modules if n.startswith(('nomos_reference.config.', 'nomos_reference.compute'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_a_module_registers_its_provider_at_once(site: Path, run: Callable[..., Any]) -> None:
    (site / "acme.py").write_text(
        ACME + "\nfrom nomos_reference.registry import packages\npackages.config.register_global('acme', new_acme)\n"
    )
    code = (
        "import acme; from nomos_reference.registry import create, names;"
        "print('config/acme' in names(), create('config/acme', {}).info().type)"
    )
    done = run("-c", code)
    assert done.stdout.split() == ["True", "acme"], done.stderr


def test_an_installed_package_brings_its_providers(install: Install, run: Callable[..., Any]) -> None:
    install({"acme": ACME}, '"config/acme" = acme:new_acme'.replace('"', ""))
    code = "from nomos_reference.registry import *; print(names()[-1] or names(), create('config/acme', {}).info())"
    done = run("-c", code)
    assert "type='acme'" in done.stdout, done.stderr


def test_an_entry_point_may_be_a_module_that_registers_itself(install: Install, run: Callable[..., Any]) -> None:
    text = ACME + "\nfrom nomos_reference.registry import packages\npackages.config.register_global('acme', new_acme)\n"
    install({"acme": text}, "acme = acme")
    done = run("-c", "from nomos_reference.registry import *; print('config/acme' in names(), problems())")
    assert done.stdout.split() == ["True", "()"], done.stderr


def test_a_broken_entry_point_is_a_named_problem_and_stops_nobody(install: Install, run: Callable[..., Any]) -> None:
    points = """
        config/acme = acme:new_acme
        config/broken = broken:new
        config/files = acme:new_acme
        config/leaves = leaves:new
        config/nothing = acme:nothing
        config/number = acme:NUMBER
        noslash = acme:new_acme
        nowhere/acme = acme:new_acme
    """
    modules = {
        "acme": ACME + "\nNUMBER = 5\n",
        "broken": "raise RuntimeError('bad day')",
        "leaves": "raise SystemExit(3)",
    }
    install(modules, points)
    code = (
        "from nomos_reference.registry import *\n"
        "print('config/acme' in names(), create('config/acme', {}).info().type)\n"
        "[print(problem.name, '|', problem.words) for problem in problems()]"
    )
    done = run("-c", code)
    first, *rest = done.stdout.splitlines()
    assert first == "True acme", done.stderr
    told = dict(line.split(" | ") for line in rest)
    wanted = {
        "config/broken": "RuntimeError: bad day",
        "config/files": "ErrProviderExists",
        "config/leaves": "SystemExit: 3",
        "config/nothing": "AttributeError",
        "config/number": "ErrInvalidFactory",
        "noslash": "PACKAGE/PROVIDER",
        "nowhere/acme": "ErrPackageNotFound",
    }
    assert told.keys() == wanted.keys()
    for name, words in wanted.items():
        assert words in told[name]
        assert "acme-providers 1.2" in told[name]


def test_an_installed_provider_is_a_target_without_a_change_to_the_kit(
    install: Install, run: Callable[..., Any], site: Path, tmp_path: Path
) -> None:
    install({"acme": ACME}, "config/acme = acme:new_acme")
    (tmp_path / "nomos.toml").write_text(
        f'interface = "config"\n[env]\nPYTHONPATH = "{site}"\n[limits]\nannounce = 60\ncall = 60\n'
    )
    clauses = "CFG-INIT-001 or CFG-FETCH-001 or CFG-INFO-001"
    done = run("-m", "pytest", "--nomos-provider=registered:config/acme", "-k", clauses, "-q", "-p", "no:cacheprovider")
    assert "registered-config-acme" in done.stdout, done.stdout + done.stderr
    assert "failed" not in done.stdout
    assert "3 passed" in done.stdout, done.stdout


def test_many_threads_get_one_default_registry(run: Callable[..., Any]) -> None:
    code = (
        "import threading; from nomos_reference.registry import default_registry\n"
        "found, start = [], threading.Barrier(16)\n"
        "def ask():\n    start.wait()\n    found.append(default_registry())\n"
        "threads = [threading.Thread(target=ask) for _ in range(16)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print(len(found), len({id(one) for one in found}))"
    )
    done = run("-c", code)
    assert done.stdout.split() == ["16", "1"], done.stderr


def test_two_entry_points_of_a_name_leave_the_first() -> None:
    mine = MemoryRegistry()
    mine.add_package("config")
    points = [EntryPoint("config/x", "functools:reduce", "nomos.providers") for _ in range(2)]
    found = list(register_found(mine, points))
    assert [problem.name for problem in found] == ["config/x"]
    assert ErrProviderExists.__name__ in found[0].reason
    assert mine.list_providers("config") == ["x"]


def test_targets_are_looked_up_in_the_registry_that_is_given(tmp_path: Path) -> None:
    mine = MemoryRegistry()
    register_built_in(mine)
    mine.register_provider("registry", "mine", lambda ctx, config: MemoryRegistry())
    settings = Settings(path=tmp_path / "nomos.toml")
    with Surroundings(mine) as given, Surroundings() as default:
        (plan,) = plan_targets(["registered:registry/mine"], settings, tmp_path, given)
        assert plan.make is not None
        assert isinstance(plan.make({}), MemoryRegistry)
        with pytest.raises(TargetError, match="there is no such provider"):
            plan_targets(["registered:registry/mine"], settings, tmp_path, default)
        with pytest.raises(TargetError, match="there is no such provider"):
            plan_targets(["registered:registry/mock"], settings, tmp_path, given)


def test_a_run_of_all_names_what_it_leaves_out(install: Install, run: Callable[..., Any]) -> None:
    install({"broken": "raise RuntimeError('bad day')"}, "config/broken = broken:new")
    done = run("-m", "pytest", "--nomos-provider=all", "--collect-only", "-k", "REG-LIST-001")
    assert "nomos: all leaves out config/broken: " in done.stdout + done.stderr, done.stdout + done.stderr
    assert "acme-providers 1.2 gives no provider: RuntimeError: bad day" in done.stdout + done.stderr
    assert done.returncode == 0
