"""``mlforge run``."""

from __future__ import annotations

import typer

from mlforge.cli.registrar import command
from mlforge.cli.samples import Count, Workers, generate_blocks, generate_document
from mlforge.cli.session import DONE_WITH_FAILURES, Session
from mlforge.cli.train import train_blocks, train_document

__all__ = ["run"]


@command(
    "run",
    schema="mlforge.run/1",
    keys={
        "samples": "an object with the keys of samples generate",
        "train": "an object with the keys of train",
    },
    examples=["mlforge run", "mlforge run --count 200", "mlforge run --json"],
    exits=(3, 4, 5, 6, 10),
)
def run(session: Session, count: Count = None, workers: Workers = None) -> None:
    """Generate samples, train, and say how good it is: the whole way.

    What is up to date is skipped. Models and features are those of mlforge.toml.
    """
    from mlforge.cli.blocks import Line
    from mlforge.workflows.generate import GenerateOptions
    from mlforge.workflows.train import TrainOptions

    generated = session.project.generate(GenerateOptions(count=count, workers=workers))
    if not session.output.as_json:
        # Shown before training starts: that is where the time goes.
        session.output.blocks([*generate_blocks(generated), Line()])
    trained = session.project.train(TrainOptions(workers=workers))
    document = {"samples": generate_document(generated), "train": train_document(trained)}
    session.show(document, train_blocks(trained, session.output.width))
    if any(category.failures for category in generated.categories):
        raise typer.Exit(DONE_WITH_FAILURES)
