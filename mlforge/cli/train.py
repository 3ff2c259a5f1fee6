"""``mlforge train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlforge.cli import completion
from mlforge.cli.registrar import command
from mlforge.cli.samples import Workers
from mlforge.cli.session import Session

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block
    from mlforge.workflows.train import TrainResult

__all__ = ["TRAIN_KEYS", "train", "train_blocks", "train_document"]

TRAIN_KEYS = {
    "models": "a list of objects, best first, with version, model, features, accuracy, "
    "accuracy_interval, macro_f1, macro_f1_interval, per_category (precision, recall and n_seeds "
    "of each code), confusion (counts: rows are true, columns predicted, in the order of "
    "categories), seconds, up_to_date; figures are null where nothing could be scored",
    "best": "the version of the first of them",
    "categories": "the codes",
    "n_seeds": "how many seeds were trained on",
    "n_samples": "how many samples were trained on",
    "up_to_date": "whether every model was there already",
    "seconds": "how long it took",
}

ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="A model, or all; may be given again. "
        "Those of mlforge.toml where not given; see: mlforge models available.",
        autocompletion=completion.model_names,
        show_default=False,
    ),
]
FeaturesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--features",
        metavar="NAME",
        help="An extractor; may be given again. "
        "Those of mlforge.toml where not given; see: mlforge features list.",
        autocompletion=completion.extractor_names,
        show_default=False,
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="Train on a folder of class folders instead of the project's categories.",
        show_default=False,
    ),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="MODEL.KEY=VALUE",
        help="A parameter of a model; may be given again.",
        show_default=False,
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Train although nothing has changed.")]


@command(
    "train",
    schema="mlforge.train/1",
    keys=TRAIN_KEYS,
    examples=[
        "mlforge train",
        "mlforge train --model all",
        "mlforge train --model xgboost --param xgboost.n_estimators=300",
        "mlforge train --features hog --features color --json",
        "mlforge train --data photos",
    ],
    exits=(3, 4, 5, 6),
)
def train(
    session: Session,
    model: ModelOption = None,
    features: FeaturesOption = None,
    data: DataOption = None,
    param: ParamOption = None,
    *,
    force: ForceOption = False,
    workers: Workers = None,
) -> None:
    """Train models on seeds and samples, and say how good they are.

    Each model is scored on seeds that it has not seen, neither themselves nor samples of them, and
    then fitted on everything. Where nothing has changed, nothing is trained again.
    """
    from mlforge.workflows.train import TrainOptions

    options = TrainOptions(
        tuple(model or ()), tuple(features or ()), data, tuple(param or ()), force, workers
    )
    result = session.project.train(options)
    session.show(train_document(result), train_blocks(result, session.output.width))


def train_document(result: TrainResult) -> dict[str, Any]:
    """Return the keys of `TRAIN_KEYS`."""
    from mlforge.cli.scores import model_values

    return {
        "models": [{**model_values(m), "up_to_date": m.up_to_date} for m in result.models],
        "best": result.best.version,
        "categories": list(result.codes),
        "n_seeds": result.n_seeds,
        "n_samples": result.n_samples,
        "up_to_date": all(model.up_to_date for model in result.models),
        "seconds": round(result.seconds, 3),
    }


def train_blocks(result: TrainResult, width: int | None) -> list[Block]:
    """Return what a person is told: the leaderboard, and of the best model how good it is."""
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import count, duration, next_steps
    from mlforge.cli.scores import evaluation_blocks, leaderboard

    kept = [model.version for model in result.models if model.up_to_date]
    trained_on = (
        f"{count(result.n_seeds, 'seed')} and {count(result.n_samples, 'sample')} of "
        f"{count(len(result.codes), 'category', 'categories')}"
    )
    if len(kept) == len(result.models):
        what = f"Up to date: {', '.join(kept)}; nothing to train (--force trains again)."
        first = Line(what, "good")
    else:
        n_trained = count(len(result.models) - len(kept), "model")
        first = Line(f"Trained {n_trained} on {trained_on} in {duration(result.seconds)}.", "good")
    blocks: list[Block] = [first]
    if kept and len(kept) < len(result.models):
        blocks.append(Line(f"Unchanged, not trained again: {', '.join(kept)}.", "dim"))
    blocks += [Line(), leaderboard(result.models), Line(), *evaluation_blocks(result.best, width)]
    steps = [
        ("mlforge predict FILE", "what is on a picture"),
        ("mlforge batch FOLDER --output predictions", "a whole folder"),
    ]
    if not result.n_samples:
        steps.insert(0, ("mlforge samples generate", "more to learn from; then train again"))
    return [*blocks, *next_steps(steps)]
