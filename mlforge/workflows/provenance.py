"""Provenance: what an artifact was made from, by what, and where; never by whom."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from mlforge.core.digest import digest_bytes, digest_json
from mlforge.extractors import Extractor, LearningExtractor
from mlforge.storage.files import read_bytes
from mlforge.workflows.dataset import Dataset
from mlforge.workflows.workspace import Workspace

__all__ = [
    "changed_configs",
    "changed_data",
    "changed_settings",
    "code_digest",
    "data_facts",
    "environment",
    "portable",
    "processor",
    "training_settings",
]

_SECTIONS = ("train", "predict")
# What else of them decides: which models there are, and what they are for.
_OF_NO_WEIGHT = ("models", "gates")


def data_facts(dataset: Dataset) -> dict[str, Any]:
    """Return what tells whether a data set is the same.

    One digest stands for all seeds, samples, labels and groups. For each category there are one
    for its seeds and one for its samples, with their numbers, so that a difference can be named,
    and one for its configuration.
    """
    rows: dict[str, tuple[list[Any], list[Any]]] = {code: ([], []) for code in dataset.codes}
    for row, (file, label) in enumerate(zip(dataset.files, dataset.labels.tolist(), strict=True)):
        seeds, samples = rows[dataset.codes[label]]
        if row < dataset.n_seeds:
            seeds.append([file.digest, dataset.groups[row]])
        else:
            seed = int(dataset.seed_index[row])
            samples.append([file.digest, dataset.files[seed].digest if seed >= 0 else None])
    categories = {
        code: {
            "n_seeds": len(seeds),
            "seeds": digest_json(seeds),
            "n_samples": len(samples),
            "samples": digest_json(samples),
        }
        for code, (seeds, samples) in rows.items()
    }
    configs = {c.category_code: digest_json(c.to_json()) for c in dataset.categories}
    return {"digest": digest_json(categories), "categories": categories, "configs": configs}


def changed_data(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is not as it was, category by category; of two answers of `data_facts`."""
    if now["digest"] == then["digest"]:
        return ()
    reasons = []
    for code in sorted({*now["categories"], *then["categories"]}):
        old, new = then["categories"].get(code), now["categories"].get(code)
        if old is None or new is None:
            reasons.append(f"{code}: {'added' if old is None else 'removed'} since")
            continue
        for kind in ("seeds", "samples"):
            if old[kind] != new[kind]:
                counts = f"{old[f'n_{kind}']} then, {new[f'n_{kind}']} now"
                reasons.append(f"{code}: other {kind} ({counts})")
    return tuple(reasons) or ("other groups of seeds",)


def changed_configs(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which categories are configured differently; of two answers of `data_facts`."""
    return tuple(
        f"{code}: another config.json"
        for code, digest in then["configs"].items()
        if now["configs"].get(code) != digest
    )


def changed_settings(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which settings that decide how a model is trained are others than they were."""
    return tuple(
        f"{section}.{key}: {old!r} then, {now[section].get(key)!r} now"
        for section in _SECTIONS
        for key, old in then.get(section, {}).items()
        if key not in _OF_NO_WEIGHT and now[section].get(key) != old
    )


def environment(extractors: Sequence[Extractor]) -> dict[str, Any]:
    """Return the kind of machine; nothing that names it, its user or a place on it.

    Parameters
    ----------
    extractors
        Those that were used: of one that learned, what it was fitted on counts too.
    """
    devices = {
        f"{extractor.name} fitted on": extractor.device()
        for extractor in extractors
        if isinstance(extractor, LearningExtractor)
    }
    return {
        **devices,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": processor(),
        "n_processors": os.cpu_count() or 1,
        "code": code_digest(),
    }


def training_settings(workspace: Workspace) -> dict[str, Any]:
    """Return the tables of ``mlforge.toml`` that decide how a model is trained."""
    values = workspace.settings.model_dump(mode="json")
    return {name: values[name] for name in _SECTIONS if name in values}


def portable(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in which a path has become a file's name.

    Examples
    --------
    >>> portable({"source": "/home/anna/net.onnx", "size": 224})
    {'source': 'net.onnx', 'size': 224}
    """
    return {
        key: PurePath(value).name if isinstance(value, str) and _is_path(value) else value
        for key, value in parameters.items()
    }


def processor() -> str:
    """Return what kind of processor it is; empty where that is not told."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


@cache
def code_digest() -> str:
    """Return the digest of mlforge's own code."""
    root = Path(__file__).parents[1]
    files = sorted(root.rglob("*.py"))
    return digest_json(
        [[p.relative_to(root).as_posix(), digest_bytes(read_bytes(p))] for p in files]
    )


def _is_path(value: str) -> bool:
    return PurePath(value).is_absolute() or value.startswith("~")
