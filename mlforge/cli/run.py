"""``mlforge run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mlforge.cli.junit import JunitOption, check_junit, gate_verdicts, write_junit
from mlforge.cli.registrar import command
from mlforge.cli.samples import Count, Workers, generate_blocks, generate_document
from mlforge.cli.session import DONE_WITH_FAILURES, Session
from mlforge.cli.train import (
    GATE_EXITS,
    AllowInconclusiveOption,
    GateOption,
    ModelOption,
    exit_by_gates,
    train_blocks,
    train_document,
)

if TYPE_CHECKING:
    from mlforge.workflows.train import TrainResult

__all__ = ["run"]

PromoteOption = Annotated[
    bool,
    typer.Option(
        "--promote", help="Make the model production where it was measured and every gate passes."
    ),
]


@command(
    "run",
    schema="mlforge.run/1",
    keys={
        "samples": "an object with the keys of samples generate",
        "train": "an object with the keys of train",
        "promoted": "the version that --promote made production, or null",
    },
    examples=[
        "mlforge run",
        "mlforge run --count 200",
        "mlforge run --model auto",
        'mlforge run --gate "accuracy>=0.8" --promote --json',
    ],
    exits=(1, 3, 4, 5, 6, 9, 10),
)
def run(
    session: Session,
    count: Count = None,
    model: ModelOption = None,
    gate: GateOption = None,
    junit: JunitOption = None,
    *,
    promote: PromoteOption = False,
    allow_inconclusive: AllowInconclusiveOption = False,
    workers: Workers = None,
) -> None:
    """Generate samples, train, and say how good it is: the whole way.

    What is up to date is skipped. Features, and models without --model, are those of mlforge.toml.

    A model of which too little could be measured to tell how it does on new examples is never
    promoted: that is as inconclusive as a gate can be, and ends with the same exit code.
    """
    from mlforge.cli.blocks import Line
    from mlforge.evaluation.gates import why_unsettled
    from mlforge.workflows.answering import default_answering
    from mlforge.workflows.generate import GenerateOptions
    from mlforge.workflows.train import TrainOptions

    check_junit(session, junit)
    generated = session.project.generate(GenerateOptions(count=count, workers=workers))
    if not session.output.as_json:
        # Shown before training starts: that is where the time goes.
        session.output.blocks([*generate_blocks(generated), Line()])
    options = TrainOptions(models=tuple(model or ()), workers=workers, gates=tuple(gate or ()))
    trained = session.project.train(options)
    promoted = _promoted(session, trained) if promote else None
    told = default_answering(session.project.artifacts)
    document = {
        "samples": generate_document(generated),
        "train": train_document(trained, told),
        "promoted": promoted,
    }
    blocks = train_blocks(trained, told, session.output.width)
    if promoted is not None:
        blocks += [Line(), Line(f"Promoted: production is {promoted}.", "good")]
    session.show(document, blocks)
    if junit is not None:
        write_junit(junit, "gates", gate_verdicts(trained.gates))
    exit_by_gates(trained, allow_inconclusive=allow_inconclusive)
    if promote and why_unsettled(trained.best.evaluation) and not allow_inconclusive:
        raise typer.Exit(GATE_EXITS["inconclusive"])
    if any(category.failures for category in generated.categories):
        raise typer.Exit(DONE_WITH_FAILURES)


def _promoted(session: Session, trained: TrainResult) -> str | None:
    """Make the best model production unless something speaks against it; return its version."""
    from mlforge.evaluation.gates import why_unsettled
    from mlforge.workflows.gates import verdict

    best, reporter = trained.best, session.project.reporter
    if why := why_unsettled(best.evaluation):
        reporter.warn(
            f"{best.version} is not promoted: {why}; add seeds of other groups with: "
            "mlforge categories add CODE FILES..."
        )
        return None
    if verdict(trained.gates) != "pass":
        return None
    if not trained.gates:
        reporter.warn(
            f"{best.version} is promoted however good it is: no gate demands anything; give "
            '--gate "accuracy>=0.8", or train.gates in mlforge.toml'
        )
    session.project.promote(best.version)
    return best.version
