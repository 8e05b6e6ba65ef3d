"""Registration: what belongs to a provider beside its methods."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any, get_type_hints

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import fleet_of
from nomos_contracts.compute.instances import SpawnOptions
from nomos_contracts.compute.leftovers import Leftovers
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.provider import InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation, shorten
from nomos_proto.errors import ProviderError

NONSENSE: tuple[Mapping[str, Any], ...] = ({"nomos": 1}, {"": None}, {"options": "nonsense", "id": []})

TEXTS: tuple[str, ...] = tuple(
    sorted(
        {name for name, hint in get_type_hints(SpawnOptions).items() if hint in {str, str | None}}
        | {"provider_id", "request_id", "name"}
    )
)
"""Arguments that are texts wherever the interface has them; a workflow may take them by the same names."""


def _subject(provider: InterfaceProvider, part: str, what: str) -> Any:
    found = getattr(getattr(provider, "subject", None), part, None)
    if not found:
        raise NotApplicable(f"the registration has no {what}")
    return found


class RegistrationContract(Contract):
    """A registration carries a provider, its hooks, and what it has of its own: workflows and contracts.

    Keep your own contracts; a workflow refuses input that it cannot use before it does anything, and takes back what it
    did, also where there is nothing to take back.
    """

    @clause("CMP-REG-001")
    def test_its_own_contracts_are_kept(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_scratch: Path,
        nomos_observe: Callable[[str, object], None],
    ) -> None:
        """Every check of every contract of the registration."""
        fixtures: dict[str, Any] = {
            "nomos_provider": nomos_provider,
            "nomos_samples": nomos_samples,
            "nomos_target": nomos_target,
            "nomos_random": nomos_random,
            "nomos_scratch": nomos_scratch,
            "nomos_observe": nomos_observe,
        }
        ran: list[str] = []
        for contract in _subject(nomos_provider, "contracts", "contracts of its own"):
            if not (isinstance(contract, type) and issubclass(contract, Contract)):
                raise Violation("contracts that are classes of checks", shorten(contract))
            names = sorted(name for name, _ in contract.checks())
            if not names:
                raise Violation(f"{contract.__name__} has checks", "none is marked with a clause")
            for name in names:
                check = getattr(contract(), name)
                wanted = inspect.signature(check).parameters
                missing = sorted(set(wanted) - set(fixtures))
                if missing:
                    raise Blocked("author", f"{contract.__name__}.{name} asks for {missing[0]}, which is not there")
                check(**{key: fixtures[key] for key in wanted})
                ran.append(f"{contract.__name__}.{name}")
        nomos_observe("own contracts", f"{len(ran)} checks: {', '.join(ran)}")

    @clause("CMP-REG-002")
    def test_workflows_say_what_they_are(self, nomos_provider: InterfaceProvider) -> None:
        """Type, provider, description, and constraints that can be kept."""
        workflows: Mapping[str, Any] = _subject(nomos_provider, "workflows", "workflows of its own")
        for name, one in workflows.items():
            if one.type != name or not name:
                raise Violation(f"the workflow under {name!r} has that type", shorten(one.type))
            if not one.provider or not one.description:
                raise Violation(
                    f"{name} names its provider and describes itself", shorten((one.provider, one.description))
                )
            limit = one.constraints.max_duration_ms
            if not isinstance(limit, int) or limit <= 0:
                raise Violation(f"{name} may take a number of milliseconds over 0", shorten(limit))
        if len({one.provider for one in workflows.values()}) > 1:
            raise Violation("all workflows name one provider", shorten([one.provider for one in workflows.values()]))

    @clause("CMP-REG-003")
    def test_workflows_refuse_what_they_cannot_use(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """With INVALID_SPEC, before anything is done: what nobody asks for, and what is there and of another kind."""
        workflows: Mapping[str, Any] = _subject(nomos_provider, "workflows", "workflows of its own")
        # What no workflow can mean, though it may be looked up in a set, under each name alone and under all of them.
        odd = (f"nomos-{nomos_random.getrandbits(64):016x}", nomos_random.getrandbits(32))
        nonsense = (*NONSENSE, *({name: odd} for name in TEXTS), dict.fromkeys(TEXTS, odd))

        def refused() -> bool:
            for name, one in workflows.items():
                for arguments in nonsense:
                    _expect_refusal(name, one, arguments)
            return True

        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            if left := Leftovers(fleet).of(refused):
                raise Violation("validation creates nothing", shorten(left), *nomos_provider.answers[-1:])

    @clause("CMP-REG-004")
    def test_workflows_take_back_what_was_never_done(self, nomos_provider: InterfaceProvider) -> None:
        """Compensation without an output, for input that was refused, raises nothing but errors of the taxonomy."""
        workflows: Mapping[str, Any] = _subject(nomos_provider, "workflows", "workflows of its own")
        for name, one in workflows.items():
            try:
                asyncio.run(_compensate(one))
            except ProviderError:
                continue
            except Exception as error:
                raise Violation(f"{name} can be taken back without an output", f"raised {error!r}") from error


async def _compensate(workflow: Any) -> None:
    await workflow.compensate({"nomos": 1}, None)


def _expect_refusal(name: str, workflow: Any, arguments: Mapping[str, Any]) -> None:
    try:
        workflow.validate_input(dict(arguments))
    except ProviderError as error:
        if error.code != "INVALID_SPEC":
            raise Violation(f"{name} refuses {shorten(arguments)} with INVALID_SPEC", error.code) from error
    except Exception as error:
        raise Violation(f"{name} refuses {shorten(arguments)} with INVALID_SPEC", f"raised {error!r}") from error
    else:
        raise Violation(f"{name} refuses {shorten(arguments)}", "it takes them")
