"""What every extractor must hold.

A plugin's author runs the checks on an extractor, made with whatever parameters it needs::

    @pytest.mark.parametrize("check", EXTRACTOR_CHECKS, ids=lambda check: check.__name__)
    def test_gradient_holds_the_contract(check):
        check(ExtractorCase(Gradient(), awkward_images()))

The examples are for the extractor's modality; for another than images the author makes them: small
and large, empty and full, and one that is nothing but noise.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.core.digest import canonical_json
from mlforge.core.import_path import child_environment
from mlforge.core.validation import json_schema, validated
from mlforge.errors import ConfigError
from mlforge.extractors import Extractor, LearningExtractor
from mlforge.modalities import Modality
from mlforge.testing._expect import expect

__all__ = [
    "EXTRACTOR_CHECKS",
    "ExtractorCase",
    "awkward_images",
    "check_activation_map",
    "check_descriptions",
    "check_features",
    "check_import",
    "check_input_unchanged",
    "check_names",
    "check_no_examples",
    "check_parameters",
    "check_reduced",
    "check_repeatable",
    "check_rows_independent",
    "check_state",
    "check_travels",
    "check_versions",
]

_SIZES = ((1, 1), (1, 7), (7, 1), (2, 2), (10, 2000), (2000, 10), (64, 64), (100, 133), (256, 192))
_TOO_HEAVY = ("sklearn", "scipy", "xgboost", "joblib", "pandas", "albumentations", "torch", "onnx")


@dataclass(frozen=True)
class ExtractorCase:
    """An extractor, the examples to try it on, and the modality that it was bound to, if any."""

    extractor: Extractor
    examples: Sequence[Any]
    modality: Modality | None = None


def awkward_images() -> list[npt.NDArray[np.uint8]]:
    """Return images of many sizes and shapes: black, white, one colour, gradient, noise."""
    images = []
    for index, (height, width) in enumerate(_SIZES):
        noise = np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8)
        rows, columns = np.mgrid[0:height, 0:width]
        slope = np.stack([255 * rows // height, 255 * columns // width, rows % 256], axis=2)
        plain = [np.zeros_like(noise), np.full_like(noise, 255), np.full_like(noise, (200, 9, 60))]
        images += [*plain, slope.astype(np.uint8), noise]
    turned = images[-1].transpose(1, 0, 2)
    mirrored = images[-1][:, ::-1]
    return [*images, turned, mirrored]


def check_descriptions(case: ExtractorCase) -> None:
    """Hold that listings can show it: a summary, and words and a default for each parameter."""
    component = type(case.extractor)
    _hold(bool(component.__doc__), case, "its class has no docstring")
    for name, values in json_schema(component.Config).get("properties", {}).items():
        _hold("description" in values, case, f"parameter {name!r} has no description")
        _hold("default" in values, case, f"parameter {name!r} has no default")


def check_parameters(case: ExtractorCase) -> None:
    """Hold that its parameters survive JSON, and that an unknown one is refused."""
    component, parameters = type(case.extractor), case.extractor.parameters()
    read = validated(component.Config, json.loads(canonical_json(parameters)), "test")
    _hold(read == case.extractor.config, case, "its parameters become others through JSON")
    unknown = "no_such_parameter"
    try:
        component.configured({**parameters, unknown: 1}, "test")
    except ConfigError as error:
        _hold(unknown in error.message, case, f"the error does not name {unknown!r}")
    else:
        raise _broken(case, f"it accepts {unknown!r}")


def check_names(case: ExtractorCase) -> None:
    """Hold that each feature has a name of its own that says which extractor it is from."""
    names = case.extractor.names()
    _hold(len(names) > 0, case, "it has no features")
    _hold(len(set(names)) == len(names), case, "a name is used twice")
    prefix = f"{case.extractor.name}_"
    strangers = [name for name in names if not name.startswith(prefix)]
    _hold(not strangers, case, f"names do not begin with {prefix!r}: {strangers[:3]}")
    _hold(case.extractor.names() == names, case, "asked again, it gives other names")


def check_features(case: ExtractorCase) -> None:
    """Hold that features are a finite float32 matrix of one length, whatever the example."""
    n_features = len(case.extractor.names())
    for example in case.examples:
        features = case.extractor.extract([example])
        _hold(isinstance(features, np.ndarray), case, f"it returns a {type(features).__name__}")
        _hold(features.dtype == np.float32, case, f"it returns {features.dtype}")
        expected = (1, n_features)
        _hold(features.shape == expected, case, f"it returns {features.shape}, not {expected}")
        finite = bool(np.isfinite(features).all())
        _hold(finite, case, f"it returns NaN or infinity for {_kind(example)}")


def check_no_examples(case: ExtractorCase) -> None:
    """Hold that no examples give no rows."""
    features = case.extractor.extract([])
    expected = (0, len(case.extractor.names()))
    _hold(features.shape == expected, case, f"no examples give {features.shape}, not {expected}")
    _hold(features.dtype == np.float32, case, f"no examples give {features.dtype}")


def check_repeatable(case: ExtractorCase) -> None:
    """Hold that the same examples give the same bytes, each time and on a new instance."""
    first = case.extractor.extract(case.examples)
    _hold(_same(first, case.extractor.extract(case.examples)), case, "a second run differs")
    _hold(_same(first, _restored(case).extract(case.examples)), case, "a new instance differs")


def check_rows_independent(case: ExtractorCase) -> None:
    """Hold that a row depends on its example alone: not on the others, their number or order."""
    together = case.extractor.extract(case.examples)
    alone = np.concatenate([case.extractor.extract([example]) for example in case.examples])
    _hold(_same(together, alone), case, "an example alone gives another row than among others")
    backward = case.extractor.extract(list(case.examples)[::-1])
    _hold(_same(together, backward[::-1]), case, "another order gives other rows")


def check_input_unchanged(case: ExtractorCase) -> None:
    """Hold that examples stay what they were, and that arrays may be read-only."""
    before = [_identity(example) for example in case.examples]
    case.extractor.extract(case.examples)
    _hold([_identity(e) for e in case.examples] == before, case, "it changes its input")
    locked = [_locked(example) for example in case.examples]
    try:
        case.extractor.extract(locked)
    except ValueError as error:
        raise _broken(case, f"it fails on read-only examples: {error}") from error


def check_state(case: ExtractorCase) -> None:
    """Hold that parameters and state, saved as plain files, make the same extractor again."""
    state = case.extractor.state()
    for name, data in state.items():
        plain = (
            name == name.strip() and name not in {"", ".", ".."} and not set(name) & set("/\\\0")
        )
        _hold(plain, case, f"state: {name!r} is not a plain file name")
        _hold(isinstance(data, bytes), case, f"state: {name!r} is a {type(data).__name__}")
    restored = _restored(case)
    _hold(restored.names() == case.extractor.names(), case, "restored, it has other names")
    _hold(dict(restored.state()) == dict(state), case, "restored, it has another state")
    expected = case.extractor.extract(case.examples)
    _hold(_same(expected, restored.extract(case.examples)), case, "restored, it gives others")


def check_travels(case: ExtractorCase) -> None:
    """Hold that it can be copied, as it is when it is sent to a worker process."""
    expected = case.extractor.extract(case.examples)
    try:
        copied = copy.deepcopy(case.extractor)
    except TypeError as error:
        raise _broken(case, f"it cannot be copied: {error}") from error
    _hold(_same(expected, copied.extract(case.examples)), case, "its copy gives others")


def check_reduced(case: ExtractorCase) -> None:
    """Hold that what learns sees as much of reduced examples, all of one shape."""
    if not isinstance(case.extractor, LearningExtractor):
        return
    reduced = [case.extractor.reduced(example) for example in case.examples]
    shapes = {array.shape for array in reduced}
    _hold(len(shapes) == 1, case, f"reduced, examples have {len(shapes)} shapes")
    again = [case.extractor.reduced(array) for array in reduced]
    _hold(all(map(_same, reduced, again)), case, "reduced twice, an example is another")
    expected = case.extractor.extract(case.examples)
    _hold(_same(expected, case.extractor.extract(reduced)), case, "reduced examples give others")


def check_activation_map(case: ExtractorCase) -> None:
    """Hold that what learns says where it finds a category by a finite matrix, if it says so."""
    if not isinstance(case.extractor, LearningExtractor):
        return
    for example in case.examples:
        found = case.extractor.activation_map(example, 0)
        if found is None:
            continue
        sound = found.ndim == 2 and found.size > 0 and found.dtype == np.float32
        _hold(sound, case, f"its map of {_kind(example)} is {found.dtype} {found.shape}")
        _hold(bool(np.isfinite(found).all()), case, "its map holds NaN or infinity")


def check_versions(case: ExtractorCase) -> None:
    """Hold that it says which libraries decide its numbers."""
    versions = type(case.extractor).versions()
    _hold("numpy" in versions, case, "its versions lack numpy")
    texts = all(isinstance(v, str) and v for v in versions.values())
    _hold(texts, case, f"its versions are not all texts: {versions}")


def check_import(case: ExtractorCase) -> None:
    """Hold that importing it imports nothing heavy, in a process of its own."""
    module = type(case.extractor).__module__
    code = (
        f"import importlib, sys; importlib.import_module({module!r}); "
        f"print(*sorted(set({_TOO_HEAVY!r}) & set(sys.modules)))"
    )
    # The command is this interpreter and code that is made here.
    done = subprocess.run(  # noqa: S603 - see above
        [sys.executable, "-c", code],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    _hold(done.returncode == 0, case, f"{module} cannot be imported: {done.stderr.strip()}")
    found = done.stdout.split()
    _hold(not found, case, f"importing {module} imports {', '.join(found)}")


EXTRACTOR_CHECKS: tuple[Callable[[ExtractorCase], None], ...] = (
    check_descriptions,
    check_parameters,
    check_names,
    check_features,
    check_no_examples,
    check_repeatable,
    check_rows_independent,
    check_input_unchanged,
    check_state,
    check_travels,
    check_reduced,
    check_activation_map,
    check_versions,
    check_import,
)
"""All checks; each raises `AssertionError` where an extractor does not hold it."""


def _restored(case: ExtractorCase) -> Extractor:
    made = type(case.extractor).restore(case.extractor.config, dict(case.extractor.state()))
    return made if case.modality is None else made.bound_to(case.modality)


def _same(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> bool:
    return first.shape == second.shape and first.tobytes() == second.tobytes()


def _identity(example: Any) -> bytes:
    """Return bytes that differ where examples differ."""
    if isinstance(example, np.ndarray):
        return f"{example.dtype}{example.shape}".encode() + example.tobytes()
    return repr(example).encode()


def _locked(example: Any) -> Any:
    if not isinstance(example, np.ndarray):
        return example
    view = example.view()
    view.flags.writeable = False
    return view


def _kind(example: Any) -> str:
    shape = getattr(example, "shape", "")
    return f"an example of type {type(example).__name__} {shape}".rstrip()


def _hold(holds: bool, case: ExtractorCase, otherwise: str) -> None:  # noqa: FBT001 - the subject
    expect(holds, f"extractor {case.extractor.name!r}: {otherwise}")


def _broken(case: ExtractorCase, reason: str) -> AssertionError:
    return AssertionError(f"extractor {case.extractor.name!r}: {reason}")
