"""Running a workflow: validated before, bounded in time, checked after, taken back when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nomos_contracts.compute.interface import ProviderError, Workflow


@dataclass(eq=False)  # not frozen: whatever an exception passes through sets its traceback
class WorkflowFailure(Exception):  # noqa: N818 # what became of it, with its cause
    """A workflow that failed.

    Attributes:
        type: its type.
        cause: why it failed.
        compensation: why it could not be taken back, None where it was.
    """

    type: str
    cause: ProviderError
    compensation: ProviderError | None = None

    def __str__(self) -> str:
        left = f"; it could not be taken back: {self.compensation}" if self.compensation else ""
        return f"{self.type}: {self.cause}{left}"


def as_error(error: BaseException, provider: str) -> ProviderError:
    """Return *error* as one of the taxonomy."""
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, TimeoutError):
        return ProviderError("it took too long", "TIMEOUT_ERROR", provider=provider)
    return ProviderError(f"raised {type(error).__name__}", provider=provider)


async def run_workflow(workflow: Workflow, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Run *workflow* and return its output.

    Raises:
        ProviderError: the input was refused; nothing was done.
        WorkflowFailure: it failed, took too long, or its output lacks a field; what it did was taken back.
    """
    try:
        workflow.validate_input(arguments)
    except Exception as error:
        raise as_error(error, workflow.provider) from error
    output: Mapping[str, Any] | None = None
    try:
        output = await asyncio.wait_for(workflow.run(arguments), workflow.constraints.max_duration_ms / 1000)
        missing = [name for name in workflow.constraints.required_output_fields if name not in output]
        if missing:
            raise ProviderError(f"the output lacks {missing[0]}", provider=workflow.provider)  # noqa: TRY301 # taken back below
    except Exception as error:
        cause = as_error(error, workflow.provider)
        try:
            await workflow.compensate(arguments, output)
        except Exception as failed:  # noqa: BLE001 # told beside its cause
            raise WorkflowFailure(workflow.type, cause, as_error(failed, workflow.provider)) from error
        raise WorkflowFailure(workflow.type, cause) from error
    return output
