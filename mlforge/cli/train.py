"""``mlforge train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlforge.cli import completion
from mlforge.cli.junit import JunitOption, check_junit, gate_verdicts, write_junit
from mlforge.cli.registrar import command
from mlforge.cli.samples import Workers
from mlforge.cli.score_keys import MODEL_KEYS
from mlforge.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlforge.cli.blocks import Block
    from mlforge.workflows.answering import Answering
    from mlforge.workflows.train import TrainResult

__all__ = [
    "GATE_EXITS",
    "TRAIN_KEYS",
    "AllowInconclusiveOption",
    "GateOption",
    "ModelOption",
    "exit_by_gates",
    "train",
    "train_blocks",
    "train_document",
]

GATE_EXITS = {"fail": 1, "inconclusive": 9}
TRAIN_KEYS = {
    "models": f"a list of objects, the one to use first, with {MODEL_KEYS}; and up_to_date",
    "best": "the version of the first of them",
    "default": "the version that predict uses where none is named, or null",
    "gates": "the answers to the gates for the first of them: a list of objects with gate, answer "
    "(pass, fail or inconclusive), value, interval, reason, n_needed (how many seeds would settle "
    "it, or null)",
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
        help="A model, all of them side by side, or auto for the best of all; may be given again. "
        "neural_network is among them where features are learned. "
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
        help="An extractor, or auto for the best of those of mlforge.toml, learned ones, and "
        "both; may be given again. "
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
TuneOption = Annotated[
    int | None,
    typer.Option(
        "--tune",
        metavar="N",
        min=2,
        help="Try N sets of parameters of each model and keep the best; the figures are those of "
        "the whole procedure, the choice included.",
        show_default=False,
    ),
]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="TIME",
        help="How long one fit of learned features may take, such as 60s or 2m; there is one a "
        "fold, and three or four more.",
        show_default=False,
    ),
]
GateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--gate",
        metavar="EXPR",
        help='What must hold, such as "accuracy>=0.9", "recall[CODE]>=0.8" or '
        '"accuracy>=production-0.01"; may be given again, adds to those of mlforge.toml.',
        show_default=False,
    ),
]
AllowInconclusiveOption = Annotated[
    bool,
    typer.Option(
        "--allow-inconclusive",
        help="End with 0 where gates are inconclusive and none fails; nothing is promoted.",
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
        "mlforge train --model auto --tune 10",
        'mlforge train --gate "accuracy>=0.8" --gate "recall[stop]>=0.7"',
        "mlforge train --model xgboost --param xgboost.n_estimators=300",
        "mlforge train --features hog --features color --json",
        "mlforge train --features auto --budget 60s",
        "mlforge train --data photos",
    ],
    exits=(1, 3, 4, 5, 6, 9),
)
def train(
    session: Session,
    model: ModelOption = None,
    features: FeaturesOption = None,
    data: DataOption = None,
    param: ParamOption = None,
    tune: TuneOption = None,
    budget: BudgetOption = None,
    gate: GateOption = None,
    junit: JunitOption = None,
    *,
    allow_inconclusive: AllowInconclusiveOption = False,
    force: ForceOption = False,
    workers: Workers = None,
) -> None:
    """Train models on seeds and samples, and say how good they are.

    Each model is scored on seeds that it has not seen, neither themselves nor samples of them, and
    then fitted on everything. Where nothing has changed, nothing is trained again.

    A gate passes or fails only where the 95 % interval leaves no doubt; otherwise it is
    inconclusive, and says how many seeds would settle it. A model that fails one of its training
    is kept, but predict does not take it unless it is named. A gate asked of a model that is up to
    date is a question: whatever the answer, predict goes on as before.
    """
    from mlforge.workflows.answering import default_answering
    from mlforge.workflows.train import TrainOptions

    check_junit(session, junit)
    options = TrainOptions(
        models=tuple(model or ()),
        features=tuple(features or ()),
        data=data,
        parameters=tuple(param or ()),
        force=force,
        workers=workers,
        tune=tune,
        gates=tuple(gate or ()),
        budget=_seconds(budget),
    )
    result = session.project.train(options)
    told = default_answering(session.project.artifacts)
    session.show(train_document(result, told), train_blocks(result, told, session.output.width))
    if junit is not None:
        write_junit(junit, "gates", gate_verdicts(result.gates))
    exit_by_gates(result, allow_inconclusive=allow_inconclusive)


def _seconds(text: str | None) -> float | None:
    from mlforge.core.units import parse_duration
    from mlforge.errors import ConfigError

    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError:
        raise ConfigError(
            f"--budget {text}: not a time", "write for example: --budget 60s"
        ) from None


def exit_by_gates(result: TrainResult, *, allow_inconclusive: bool) -> None:
    """End with the exit code of a gate that failed or is inconclusive, if there is one."""
    from mlforge.workflows.gates import verdict

    answer = verdict(result.gates)
    if answer in GATE_EXITS and not (allow_inconclusive and answer == "inconclusive"):
        raise typer.Exit(GATE_EXITS[answer])


def train_document(result: TrainResult, told: Answering) -> dict[str, Any]:
    """Return the keys of `TRAIN_KEYS`."""
    from mlforge.cli.render import plain_value
    from mlforge.cli.scores import model_values

    return {
        "models": [{**model_values(m), "up_to_date": m.up_to_date} for m in result.models],
        "best": result.best.version,
        "default": told.version,
        "gates": [plain_value(answer) for answer in result.gates],
        "categories": list(result.codes),
        "n_seeds": result.n_seeds,
        "n_samples": result.n_samples,
        "up_to_date": all(model.up_to_date for model in result.models),
        "seconds": round(result.seconds, 3),
    }


def train_blocks(result: TrainResult, told: Answering, width: int | None) -> list[Block]:
    """Return what a person is told: the leaderboard, how good the best model is, what answers."""
    from mlforge.cli.answers import default_lines
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import count, duration, next_steps, shown_path
    from mlforge.cli.scores import choice_blocks, evaluation_blocks, gate_blocks, leaderboard

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
    blocks += [Line(), leaderboard(result.models)]
    for model in result.models:
        blocks += choice_blocks(model)
    blocks += [Line(), *evaluation_blocks(result.best, width)]
    blocks += gate_blocks(result.gates)
    if result.report is not None:
        blocks += [Line(), Line(f"Report: {shown_path(result.report)}")]
    blocks += _learning(result)
    return [*blocks, *default_lines(result, told), *next_steps(_steps(result, told))]


def _steps(result: TrainResult, told: Answering) -> Iterator[tuple[str, str]]:
    """Yield what to type next, and what for."""
    from mlforge.cli.answers import changing_steps

    if not result.n_samples and result.data is None:
        yield "mlforge samples generate", "more to learn from; then train again"
    if told.version == result.best.version:
        yield "mlforge predict FILE", "what is on a picture"
    yield from changing_steps(result, told)
    # The diagnostics are those of the project's own seeds.
    if result.best.evaluation is not None and result.data is None:
        yield "mlforge evaluate --deep", "what to photograph next, and which seeds to look at"
    if any(extractor.available() for extractor in result.unused):
        yield "mlforge train --features auto", "tries learned features too, in minutes"


def _learning(result: TrainResult) -> Iterator[Block]:
    """Say what learned features would bring, where something that they need is missing."""
    from mlforge.cli.blocks import Line

    for extractor in result.unused:
        if not extractor.available():
            yield Line(
                f"Features {extractor.name} from your own seeds often make far fewer errors; they "
                f"need {', '.join(extractor.fits_with)} (its build without CUDA is enough): "
                f"{extractor.install_command()}",
                "dim",
            )
