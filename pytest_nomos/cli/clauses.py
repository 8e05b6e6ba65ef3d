"""``pytest-nomos clauses``: the contract, to read."""

from __future__ import annotations

import json

import click

from nomos_contracts.clause import Clause, clauses_of


@click.command()
@click.argument("clause_id", metavar="[ID]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def clauses(clause_id: str | None, as_json: bool) -> None:
    """List the clauses, or show one: what it asks for, where the rule stands, how to mend a failure."""
    table = clauses_of()
    if clause_id is not None:
        found = table.get(clause_id.upper())
        if found is None:
            near = [name for name in table if name.startswith(clause_id.upper()[:6])]
            hint = f"; near it: {', '.join(near[:8])}" if near else "; `pytest-nomos clauses` lists them"
            raise click.UsageError(f"there is no clause {clause_id}{hint}")
        click.echo(found.model_dump_json(indent=2) if as_json else _whole(found))
    elif as_json:
        click.echo(json.dumps([clause.model_dump(mode="json") for clause in table.values()], indent=2))
    else:
        for clause in table.values():
            mark = "" if clause.testable else "  (cannot be tested from outside)"
            click.echo(f"{clause.id:<16} {clause.level:<6} {clause.tier:<10} {clause.sentence}{mark}")


def _whole(clause: Clause) -> str:
    rows = {
        "level": clause.level,
        "tier": clause.tier,
        "profiles": ", ".join(clause.profiles),
        "sources": "; ".join(clause.sources),
        "samples": ", ".join(clause.samples),
        "mend": clause.mend,
        "not testable": clause.reason,
        "since": clause.since,
    }
    return "\n".join(
        [f"{clause.id}: {clause.sentence}", *(f"  {name:<13}{text}" for name, text in rows.items() if text)]
    )
