"""Commands that edit a job: `edit`, `edits`, `withdraw`, `rollback`, `diff`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from graftwerk.cli.edits.short_form import FORMS, parse_operations
from graftwerk.cli.edits.tables import format_operation, print_dry_run, print_edit, print_network_diff
from graftwerk.cli.edits.trigger import format_trigger, parse_trigger
from graftwerk.cli.output import AsJson, ExitCode, open_client, print_json, print_result, print_table, print_warnings
from graftwerk.cli.parameters import JobId
from graftwerk.jobs import Job
from graftwerk.jobs.edits import Edit

FILE_SUFFIX = ".json"
UNKNOWN_TO_CLICK = {"ignore_unknown_options": True}  # options of operations, such as --init, stay where they stand

SHORT_FORMS = "\n\n".join(["Short forms of operations:", *(form.example for form in FORMS.values())])


def edit(
    ctx: typer.Context,
    job_id: JobId,
    operations: Annotated[
        list[str],
        typer.Argument(
            help="A JSON file; or an operation in its short form, and further ones after --then: "
            "insert relu1 Conv2d out_channels=10 kernel_size=3 padding=1 --init identity --then freeze stem",
            metavar="OPERATION...",
        ),
    ],
    at: Annotated[
        str | None,
        typer.Option(help='now, step=5000, epoch=3, "val/loss<0.3", "val/loss plateau 5".', show_default="now"),
    ] = None,
    expect_revision: Annotated[
        int | None, typer.Option(min=1, help="Refuse the edit if the job has another revision by now.")
    ] = None,
    comment: Annotated[str | None, typer.Option(help="A note for those who read the edits later.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is applied or rejected.")] = False,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Editing again with the same key makes no second edit.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change the network or the plan of a job while it trains. All operations are applied together, or none."""
    change = _read_operations(operations)
    trigger = parse_trigger(at) if at is not None else None
    with open_client(ctx) as client:
        job = client.jobs.get(job_id)
        if dry_run:
            report = job.edit_dry_run(change, at=trigger, expect_revision=expect_revision)
            print_json(report) if as_json else print_dry_run(report)
            return
        made = job.edit(
            change, at=trigger, expect_revision=expect_revision, comment=comment, idempotency_key=idempotency_key
        )
        warnings = []
        if wait:
            made = job.wait_for_edit(made.number)
            warnings = _warnings_of(job, made)
    _finish(made, warnings, as_json)


def edits(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """List the edits of a job."""
    with open_client(ctx) as client:
        every = client.jobs.get(job_id).edits()
    if as_json:
        print_json([each.document for each in every])
        return
    print_table(("EDIT", "STATE", "AT", "STEP", "REVISION", "OPERATIONS"), [_edit_row(each) for each in every])
    for each in every:
        if each.problems:
            print_edit(each)


def withdraw(
    ctx: typer.Context,
    job_id: JobId,
    number: Annotated[int, typer.Argument(help="The edit's number.", metavar="EDIT")],
    as_json: AsJson = False,
) -> None:
    """Withdraw an edit that waits for its trigger."""
    with open_client(ctx) as client:
        found = client.jobs.get(job_id).withdraw_edit(number)
    line = f"edit {number} {'will be withdrawn in a moment' if found.pending else f'is {found.state}'}"
    print_result(found.document, line, as_json=as_json)


def rollback(
    ctx: typer.Context,
    job_id: JobId,
    revision: Annotated[int, typer.Option(min=1, help="The revision to go back to; `graftwerk edits` lists them.")],
    step: Annotated[int | None, typer.Option(min=0, help="Step of a kept checkpoint; default: its newest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Go back to a checkpoint of an earlier revision. Nothing is deleted: it is a new revision."""
    with open_client(ctx) as client:
        made = client.jobs.get(job_id).rollback(revision, step)
    line = f"{job_id} goes on from step {made.step} of revision {revision}, as revision {made.revision}"
    print_result(made.document, line, as_json=as_json)


def diff(
    ctx: typer.Context,
    job_id: JobId,
    from_: Annotated[int | None, typer.Option("--from", min=1, help="A revision; default: the first.")] = None,
    to: Annotated[int | None, typer.Option(min=1, help="A revision; default: the current one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two revisions of a job's network."""
    with open_client(ctx) as client:
        report = client.jobs.get(job_id).network_diff(from_, to)
    print_json(report) if as_json else print_network_diff(report)


def _read_operations(words: list[str]) -> Any:
    """Return the operations, or the whole edit, that a file or the short form says."""
    if len(words) > 1 or not words[0].endswith(FILE_SUFFIX):
        return parse_operations(words)
    try:
        document = json.loads(Path(words[0]).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{words[0]}: {error}", param_hint="OPERATION") from None
    if isinstance(document, list) or (isinstance(document, dict) and ("op" in document or "operations" in document)):
        return document
    hint = 'an operation, a list of them, or {"operations": […]}'
    raise typer.BadParameter(f"{words[0]} is no edit: {hint}", param_hint="OPERATION")


def _warnings_of(job: Job, made: Edit) -> list[Mapping[str, Any]]:
    """Return what the attempt warned of when it applied an edit, such as copies that stay equal."""
    if made.state != "applied":
        return []
    for event in job.events(after=job.last_event):
        if event.kind == "edit_applied" and event.data["edit"] == made.number:
            return list(event.data.get("warnings") or ())
    return []


def _finish(made: Edit, warnings: list[Mapping[str, Any]], as_json: bool) -> None:
    """Print an edit and its warnings, and exit with 1 if it did not come to be applied."""
    if as_json:
        print_json({**made.document, "warnings": warnings})
    else:
        print_edit(made)
        print_warnings({"warnings": warnings})
    if made.state not in ("accepted", "applied"):
        raise typer.Exit(ExitCode.JOB_FAILED)


def _edit_row(edit: Edit) -> tuple[str, ...]:
    step, revision = ("" if value is None else str(value) for value in (edit.step, edit.revision))
    words = "; ".join(map(format_operation, edit.operations)) or f"back to revision {edit.document.get('parent')}"
    if comment := edit.document.get("comment"):
        words = f"{words}  # {comment}"
    return str(edit.number), edit.state, format_trigger(edit.at), step, revision, words
