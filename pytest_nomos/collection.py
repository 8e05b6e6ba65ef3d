"""Collection: the contracts of the targets as pytest items, in folders without one test file."""

from __future__ import annotations

import importlib
import pkgutil
import secrets
from collections.abc import Generator, Iterator
from importlib import resources
from itertools import pairwise
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from nomos_contracts.clause import Tier
from nomos_contracts.contract import Contract
from nomos_contracts.fault import FaultError
from pytest_nomos.host.reaping import ReaperError
from pytest_nomos.report.folder import ReportError
from pytest_nomos.session.attachment import attached_python
from pytest_nomos.session.background import background_fault
from pytest_nomos.session.reporting import open_stream
from pytest_nomos.session.run import Run
from pytest_nomos.session.shard import Shard, ShardError
from pytest_nomos.settings import SettingsError, find_settings, load_settings
from pytest_nomos.targets.plan import TargetError, plan_targets
from pytest_nomos.targets.surroundings import Surroundings
from pytest_nomos.targets.ways import parse_transports

PREFIX = "nomos/"
RUN = pytest.StashKey[Run]()
CLAUSE = pytest.StashKey[str]()
TARGET = pytest.StashKey[str]()
_NO_CHECKS = {"interface", "samples", "schedule"}


def activate(config: pytest.Config) -> None:
    """Read targets and settings, and register everything that makes their contracts run.

    Raises:
        pytest.UsageError: a target, the settings or an option cannot be used.
    """
    run = _read(config)
    config.stash[RUN] = run
    config.add_cleanup(run.close)
    config.addinivalue_line("markers", "nomos(clause, level, tier, interface): a check of a provider's contract")
    worker_input = getattr(config, "workerinput", None)
    if worker_input is not None:
        run.worker = worker_input["workerid"]
        run.unpack(worker_input["nomos"])
    chosen = [arg for arg in config.args if arg.startswith(PREFIX)]
    run.selected = chosen
    config.args[:] = [arg for arg in config.args if arg not in chosen]
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        # No path was given: the contracts are what is asked for, not the author's own tests.
        config.args[:] = []
    from pytest_nomos import fixtures, outcomes, terminal

    for name, plugin in (
        ("nomos-collection", Collection(run)),
        ("nomos-last-failed", KeepLastFailed()),
        ("nomos-fixtures", fixtures),
        ("nomos-outcomes", outcomes.Outcomes(run, config)),
        ("nomos-terminal", terminal.Terminal(run)),
    ):
        config.pluginmanager.register(plugin, name)


def _read(config: pytest.Config) -> Run:
    specs: list[str] = list(config.getoption("nomos_provider") or ())
    invoked_in = config.invocation_params.dir
    _refuse_separate_path(config, specs)
    written = config.getoption("nomos_seed")
    if written is not None and not str(written).isdigit():
        raise pytest.UsageError(f"--nomos-seed={written}: write a whole number")
    report = config.getoption("nomos_report")
    named = config.getoption("nomos_settings")
    tier = config.getoption("nomos_tier")
    part = config.getoption("nomos_shard")
    transport = config.getoption("nomos_transport")
    chaos = config.getoption("nomos_chaos")
    if named and not (invoked_in / named).is_file():
        raise pytest.UsageError(f"--nomos-settings={named}: there is no such file")
    surroundings = Surroundings()
    config.add_cleanup(surroundings.close)
    try:
        shard = Shard.parse(part) if part else None
        fault = background_fault(chaos) if chaos is not None else None
        settings = load_settings(invoked_in / named if named else find_settings(invoked_in))
        plans = plan_targets(
            specs,
            settings,
            invoked_in,
            surroundings,
            tier=Tier(tier) if tier else None,
            transports=parse_transports(transport) if transport else (),
        )
    except FaultError as error:
        raise pytest.UsageError(f"--nomos-chaos: {error}") from None
    except ShardError as error:
        raise pytest.UsageError(f"--nomos-shard: {error}") from None
    except (SettingsError, TargetError, ReaperError) as error:
        raise pytest.UsageError(str(error)) from None
    return Run(
        settings=settings,
        plans={plan.name: plan for plan in plans},
        seed=int(written) if written is not None else secrets.randbelow(2**32),
        report_dir=(invoked_in / report).absolute() if report else None,
        argv=tuple(str(word) for word in config.invocation_params.args),
        surroundings=surroundings,
        shard=shard,
        fault=fault,
    )


def _refuse_separate_path(config: pytest.Config, specs: list[str]) -> None:
    """Refuse `--nomos-provider ./x`: pytest takes the path for a test path too and moves its rootdir there."""
    for word, following in pairwise(str(word) for word in config.invocation_params.args):
        if word == "--nomos-provider" and following in specs and (config.invocation_params.dir / following).exists():
            raise pytest.UsageError(
                f"write --nomos-provider={following}, with `=`: with a space pytest also takes the path for a test path"
            )


class ContractModule(pytest.Module):
    """A module of the installed kit, outside the author's rootdir."""

    import_name: str

    def collect(self) -> Any:
        """Import by name (no import mode, no change of sys.path) and collect."""
        self.obj: ModuleType = importlib.import_module(self.import_name)
        return super().collect()


class Collection:
    """The hooks that put contracts into a session."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Add the contract modules to the session's own children."""
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            report.result = [*report.result, *self._modules(collector)]
        return report

    def _modules(self, session: pytest.Session) -> Iterator[ContractModule]:
        interfaces = dict.fromkeys(name for plan in self._run.plans.values() for name in plan.contracts)
        for interface in interfaces:
            folder = Path(str(resources.files("nomos_contracts").joinpath(interface)))
            for entry in sorted(pkgutil.iter_modules([str(folder)]), key=lambda entry: entry.name):
                nodeid = f"{PREFIX}{interface}/{entry.name}.py"
                if entry.name in _NO_CHECKS or not self._wanted(nodeid):
                    continue
                # A node id of our own: the module is no file under rootdir.
                module = ContractModule.from_parent(  # pyright: ignore[reportUnknownMemberType] # untyped in pytest
                    session, path=folder / f"{entry.name}.py", name=nodeid, nodeid=nodeid
                )
                module.import_name = f"nomos_contracts.{interface}.{entry.name}"
                yield module

    def _wanted(self, module_id: str) -> bool:
        chosen = self._run.selected
        return not chosen or any(
            arg == module_id or arg.startswith(f"{module_id}::") or module_id.startswith(arg.rstrip("/") + "/")
            for arg in chosen
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Module | pytest.Class, name: str, obj: object) -> Any:
        """Collect classes that end in Contract, and of them the checks that some target is due."""
        module = collector if isinstance(collector, ContractModule) else None
        inside = module is not None
        if isinstance(obj, type) and issubclass(obj, Contract):
            if obj is not Contract and name.endswith("Contract") and module in (None, _home(collector, obj)):
                found = pytest.Class.from_parent(collector, name=name, obj=obj)  # pyright: ignore[reportUnknownMemberType] # untyped in pytest
                # Asked for by each check, whatever a conftest puts in the place of the fixtures that want it.
                found.add_marker(pytest.mark.usefixtures("nomos_target"))
                return found
            return [] if inside else None
        if inside:
            return []
        clause_id: str | None = vars(obj).get("__nomos_clause__") if isinstance(obj, FunctionType) else None
        if clause_id is not None and not self._run.targets_of(clause_id):
            return []
        return None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give each check its targets."""
        clause_id = getattr(metafunc.function, "__nomos_clause__", None)
        if clause_id is not None:
            names = self._run.targets_of(clause_id)
            metafunc.parametrize("nomos_target", names, ids=names, indirect=True, scope="session")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Mark the checks, leave out those that were not chosen, and refuse ids that choose nothing."""
        run = self._run
        kept: list[pytest.Item] = []
        dropped: list[pytest.Item] = []
        for item in items:
            clause_id = getattr(getattr(item, "function", None), "__nomos_clause__", None)
            if clause_id is None:
                kept.append(item)
                continue
            self._mark(item, clause_id)
            mine = run.shard is None or run.shard.holds(clause_id)
            (kept if mine and _chosen(item.nodeid, run.selected) else dropped).append(item)
        if dropped:
            run.deselected = True
            config.hook.pytest_deselected(items=dropped)
            items[:] = kept
        unknown = [arg for arg in run.selected if not any(_chosen(item.nodeid, [arg]) for item in items)]
        if unknown and not run.worker:
            raise pytest.UsageError(f"no check has the id {', '.join(unknown)}; `--collect-only -q` lists them")

    def _mark(self, item: pytest.Item, clause_id: str) -> None:
        clause = self._run.clauses[clause_id]
        target: str = getattr(item, "callspec").params["nomos_target"]  # noqa: B009 # pytest.Function only
        item.stash[CLAUSE] = clause_id
        item.stash[TARGET] = target
        item.extra_keyword_matches.add(clause_id)
        item.add_marker(
            pytest.mark.nomos(
                clause=clause_id, level=clause.level.value, tier=clause.tier.value, interface=clause.interface_prefix
            )
        )
        # An author's `filterwarnings = error` is about his code, not about a library below the kit.
        item.add_marker(pytest.mark.filterwarnings("default"))
        waiver = self._run.waiver(clause_id, target)
        if waiver is not None:
            reason = f"waived: {waiver.reason} ({waiver.link}, {waiver.owner}, until {waiver.expires})"
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True, raises=AssertionError))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Remember that the user chose a part."""
        if any(CLAUSE in item.stash for item in items):
            self._run.deselected = True

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the controller, which collects nothing, that the user chose a part (in a worker)."""
        if self._run.worker:
            output: dict[str, Any] = getattr(session.config, "workeroutput")  # noqa: B009 # pytest-xdist's
            output["nomos_deselected"] = self._run.deselected

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear from each worker whether the user chose a part; one that died says nothing."""
        output: dict[str, Any] = getattr(node, "workeroutput", {})
        self._run.deselected = self._run.deselected or output.get("nomos_deselected", False)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Look at each target once, in the controller; `--collect-only` starts nothing."""
        run = self._run
        if run.worker or session.config.getoption("collectonly"):
            return
        try:
            # The subject is hashed before its first start.
            run.stream = open_stream(run, run.argv)
            run.preview()
        except (SettingsError, ReportError) as error:
            raise pytest.UsageError(str(error)) from None
        if session.config.getoption("numprocesses", None):
            run.stop_providers()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: list[Any]) -> None:
        """Have workers of this machine end with the controller from their first moment on."""
        for spec in specs:
            if spec.popen and not spec.python:
                spec.python = attached_python()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand each worker the seed and what the targets said."""
        node.workerinput["nomos"] = self._run.pack()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:  # noqa: ARG002 # hook
        """Refuse ids that choose nothing, in the controller: a worker that raises takes the run with it."""
        unknown = [arg for arg in self._run.selected if not any(_chosen(nodeid, [arg]) for nodeid in ids)]
        if unknown:
            raise pytest.UsageError(f"no check has the id {', '.join(unknown)}; `--collect-only -q` lists them")


class KeepLastFailed:
    """Keeps `--lf` from dropping modules that are no files under rootdir."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> pytest.CollectReport | None:
        """Report on a contract module without the file checks of `--lf`."""
        if not isinstance(collector, ContractModule):
            return None
        found: list[pytest.Item | pytest.Collector] = []
        call = pytest.CallInfo[None].from_call(lambda: found.extend(collector.collect()), "collect")
        if call.excinfo is None:
            return pytest.CollectReport(collector.nodeid, "passed", None, found)
        failure = collector.repr_failure(call.excinfo)
        return pytest.CollectReport(collector.nodeid, "failed", failure, [])


def _home(collector: pytest.Collector, contract: type[Contract]) -> pytest.Collector | None:
    """Return *collector* if it is the module in which *contract* was written."""
    mine = isinstance(collector, ContractModule) and contract.__module__ == collector.import_name
    return collector if mine else None


def _chosen(nodeid: str, chosen: Any) -> bool:
    return not chosen or any(
        nodeid == arg or nodeid.startswith((f"{arg}::", f"{arg}[", f"{arg.rstrip('/')}/")) for arg in chosen
    )
