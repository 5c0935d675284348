"""`curavani db adopt`: taking over a database of the platform."""

from typing import TYPE_CHECKING, Annotated

import typer

from curavani.cli.options import Json
from curavani.cli.output import TROUBLE, end, examples, print_json, print_table, talk, with_exit_codes
from shared.core.errors import DatabaseFull

if TYPE_CHECKING:
    from curavani.adoption.plan import Plan, TablePlan

EPILOG = examples("curavani db adopt --plan", "curavani db adopt > certificate.json")


@with_exit_codes
def adopt_command(
    plan: Annotated[bool, typer.Option("--plan", help="Say what would change and what does not fit.")] = False,
    as_json: Json = False,
) -> None:
    """Takes over a database of the platform.

    In place and in one transaction; prints the certificate as JSON. The same
    tables, the same numbers; what other services refer to stays.
    Whatever goes wrong, everything is as it was. Stop the programs that
    write to it first. With --plan the rows are only read: ends with 1 where
    something does not fit.
    """
    from curavani.adoption.adopt import AdoptionFailed, AdoptionRefused, NothingToAdopt, adopt, make_plan
    from curavani.services import database

    engine = database()
    try:
        if plan:
            _show(make_plan(engine), as_json=as_json)
            return
        print_json(adopt(engine).as_json())
        talk("The database is ours now. Next: curavani db check, then start the services.")
    except NothingToAdopt as error:
        state = "empty: `curavani db upgrade` sets it up" if error.revision is None else "ours already"
        talk(f"Nothing to do: this database is {state}.")
    except AdoptionRefused as error:
        talk("\n".join(error.plan.obstacles))
        end(f"{error.code}: {error.code.english}", TROUBLE)
    except AdoptionFailed as error:
        talk("\n".join(error.reasons))
        end(f"{error.code}: {error.code.english}", TROUBLE)
    except DatabaseFull:
        talk("Everything is as it was.")
        raise
    finally:
        engine.dispose()


def _show(plan: "Plan", *, as_json: bool) -> None:
    if as_json:
        print_json(plan.as_json())
    else:
        for table in plan.tables:
            _show_table(table)
        _show_list("What stands in the way", plan.obstacles)
        _show_list("Worth knowing", plan.remarks)
        if plan.seconds is not None:
            typer.echo(f"Both tables would be locked for about {plan.seconds:.0f} s, measured on a copy of the rows.")
    if plan.obstacles:
        end("Nothing was changed. Correct what stands in the way, then run it again.", TROUBLE)
    if not as_json:
        talk("Nothing was changed. Everything fits. To take the database over: curavani db adopt")


def _show_table(table: "TablePlan") -> None:
    rows = [
        (it.name, it.action, it.before, it.after, it.rule.says if it.rule else "", it.changed or "", it.misfits or "")
        for it in table.columns
        if it.action != "kept" or it.misfits
    ]
    kept = sum(it.action == "kept" for it in table.columns)
    title = f"{table.people.name}: {table.rows} rows; {kept} columns are kept as they are, and these change"
    columns = ("column", "is", "type now", "type then", "values become", "values changed", "do not fit")
    print_table(columns, rows, title=title)


def _show_list(title: str, sentences: list[str]) -> None:
    if sentences:
        print_table((title,), [(sentence,) for sentence in sentences])
        typer.echo()
