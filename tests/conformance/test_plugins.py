"""Plugins in packages of their own, built, installed and used in real processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "tests" / "plugins"
HOW_TO = ROOT / "docs" / "how-to"
# The page that shows each plugin.
PAGES = {
    "add-a-modality.md": "mlforge-dna",
    "add-a-generator.md": "mlforge-framed",
    "add-a-model.md": "mlforge-nearest-centroid",
    "add-a-technique.md": "mlforge-light",
    "add-an-extractor.md": "mlforge-gradient-profile",
}
# Components of another kind than the page is about; a line in it points to theirs.
NOT_SHOWN = {"__init__.py", "kmers.py", "mutation.py"}
# Where the component of each goes when it becomes part of mlforge.
INSIDE = {
    "mlforge-framed/mlforge_framed.py": "generators/framed.py",
    "mlforge-gradient-profile/mlforge_gradient_profile.py": "extractors/image/gradient_profile.py",
    "mlforge-light/mlforge_light/vignette.py": "techniques/image/vignette.py",
    "mlforge-nearest-centroid/mlforge_nearest_centroid.py": "models/nearest_centroid.py",
}
LABELLED = re.compile(
    r"^`(?P<label>[^`\n]+)`\n\n```\w+\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
STEP = re.compile(
    r"^```sh\n(?P<commands>.*?)^```$|^`mlforge\.toml`\n\n```toml\n(?P<settings>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Installed:
    """Where the plugins lie: their sources, and one folder of installed packages for each."""

    sources: Path
    sites: Path

    def path(self, *names: str) -> str:
        return os.pathsep.join(str(self.sites / name) for name in names)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("plugins")
    plugins = Installed(folder / "sources", folder / "sites")
    for name in PAGES.values():
        # A copy, since builds may leave folders beside the source.
        source = shutil.copytree(PLUGINS / name, plugins.sources / name)
        offline = ["--no-index", "--no-deps", "--no-build-isolation"]
        quiet = ["--quiet", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "install", *offline, *quiet]
        done = run([*command, "--target", str(plugins.sites / name), str(source)], folder)
        assert done.returncode == 0, done.stderr
    return plugins


@pytest.fixture(scope="session")
def trained(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of three digits whose samples, features and model come from plugins."""
    project = tmp_path_factory.mktemp("project") / "digits"
    path = installed.path(*PAGES.values())
    mlforge("init", str(project), "--example", "digits", cwd=project.parent)
    for config in sorted(project.glob("categories/*/config.json")):
        if config.parent.name not in {"one", "two", "three"}:
            shutil.rmtree(config.parent)
            continue
        values = json.loads(config.read_text(encoding="utf-8"))
        techniques = ["rotation", {"name": "vignette", "limit": 0.3}]
        values["augmentation_settings"]["techniques"] = techniques
        values["generation_settings"]["method"] = "framed"
        config.write_text(json.dumps(values), encoding="utf-8")
    mlforge("samples", "generate", "--count", "12", "--workers", "2", cwd=project, path=path)
    features = ["--features", "gradient_profile", "--features", "color"]
    mlforge("train", *features, "--model", "nearest_centroid", cwd=project, path=path)
    return project


def run(command: Sequence[str], cwd: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": binaries, "PYTHONPATH": path, "NO_COLOR": "1"}
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def mlforge(*arguments: str, cwd: Path, path: str = "") -> str:
    done = run([sys.executable, "-m", "mlforge", *arguments], cwd, path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed(*command: str, cwd: Path, path: str) -> dict[str, str]:
    """Return the package that each listed component is from."""
    document = json.loads(mlforge(*command, "--json", cwd=cwd, path=path))
    assert document["broken"] == []
    return {component["name"]: component["from"] for component in document["components"]}


def seed(project: Path) -> str:
    return str(min(project.glob("categories/three/seeds/*")))


@pytest.mark.parametrize(
    ("command", "component", "package"),
    [
        (("features", "list"), "gradient_profile", "mlforge-gradient-profile"),
        (("models", "available"), "nearest_centroid", "mlforge-nearest-centroid"),
        (("techniques", "list"), "vignette", "mlforge-light"),
        (("generators", "list"), "framed", "mlforge-framed"),
    ],
)
def test_listings_show_plugins_with_the_package_they_are_from(
    installed: Installed, tmp_path: Path, command: tuple[str, str], component: str, package: str
) -> None:
    without = listed(*command, cwd=tmp_path, path="")
    with_it = listed(*command, cwd=tmp_path, path=installed.path(package))
    assert with_it == {**without, component: package}
    assert component not in without


def test_samples_are_made_by_a_plugin_in_worker_processes(trained: Path) -> None:
    lines = (trained / "categories/three/samples/manifest.jsonl").read_text(encoding="utf-8")
    records = [json.loads(line) for line in lines.splitlines()[1:]]
    recipes = [[s.get("technique", s.get("step")) for s in r["recipe"]] for r in records]
    assert recipes == [["frame", "rotation", "vignette"]] * 12
    losses = {record["recipe"][2]["loss"] for record in records}
    assert len(losses) > 1
    assert max(losses) <= 0.3


def test_an_artifact_of_plugins_predicts(trained: Path, installed: Installed) -> None:
    # The artifact holds the model's graph: only the extractor's plugin is needed.
    path = installed.path("mlforge-gradient-profile")
    prediction = json.loads(mlforge("predict", seed(trained), "--json", cwd=trained, path=path))
    assert prediction["model"] == "nearest_centroid-0001"
    assert prediction["prediction"] in {"one", "two", "three"}
    assert set(prediction["all_probabilities"]) == {"one", "two", "three"}


def test_training_again_finds_everything_up_to_date(trained: Path, installed: Installed) -> None:
    command = ["train", "--features", "gradient_profile", "--features", "color", "--json"]
    output = mlforge(
        *command, "--model", "nearest_centroid", cwd=trained, path=installed.path(*PAGES.values())
    )
    (model,) = json.loads(output)["models"]
    assert model["version"] == "nearest_centroid-0001"
    assert model["features"] == ["gradient_profile", "color"]
    assert model["accuracy"] > 1 / 3


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (("predict", "SEED"), "gradient_profile"),
        (("train", "--model", "nearest_centroid"), "nearest_centroid"),
        (("samples", "generate"), "framed"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_missing_plugin_is_named(
    trained: Path, installed: Installed, command: tuple[str, ...], missing: str
) -> None:
    arguments = [seed(trained) if argument == "SEED" else argument for argument in command]
    done = run([sys.executable, "-m", "mlforge", *arguments], trained)
    assert done.returncode == 2
    assert done.stdout == ""
    assert repr(missing) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plugin_that_cannot_be_imported_spoils_nothing_else(tmp_path: Path) -> None:
    site = tmp_path / "site"
    described = site / "mlforge_ruin-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: mlforge-ruin\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[mlforge.extractors]\nruin = ruin:Ruin\n")
    (site / "ruin.py").write_text("raise RuntimeError('not today')\n")
    document = json.loads(mlforge("features", "list", "--json", cwd=tmp_path, path=str(site)))
    assert "hog" in [component["name"] for component in document["components"]]
    (broken,) = document["broken"]
    assert broken == {
        "name": "ruin", "source": "mlforge-ruin", "reason": "RuntimeError: not today"
    }  # fmt: skip


def test_a_modality_of_a_plugin_is_used_by_all_commands(
    installed: Installed, tmp_path: Path
) -> None:
    path = installed.path("mlforge-dna")
    for number, code in enumerate(("few_a", "many_a")):
        (tmp_path / "folders" / code).mkdir(parents=True)
        for file in range(5):
            rng = np.random.default_rng([number, file])
            weights = np.array([1 + 3 * number, 2, 2, 2])
            letters = rng.choice([*"ACGT"], 200, p=weights / weights.sum())
            (tmp_path / "folders" / code / f"{file}.dna").write_text("".join(letters))
    mlforge("init", "genes", "--modality", "dna", cwd=tmp_path, path=path)
    project = tmp_path / "genes"
    source = ["../folders", "--technique", "mutation"]
    mlforge("categories", "import", *source, cwd=project, path=path)
    mlforge("samples", "generate", "--count", "10", "--workers", "1", cwd=project, path=path)
    mlforge("samples", "preview", "--output", "sheet.png", cwd=project, path=path)
    train = ["train", "--features", "kmers", "--model", "logistic_regression"]
    mlforge(*train, cwd=project, path=path)
    unseen = tmp_path / "unseen.dna"
    unseen.write_text("AACATAAAGA" * 20)
    prediction = json.loads(mlforge("predict", str(unseen), "--json", cwd=project, path=path))
    assert prediction["prediction"] == "many_a"
    mlforge("batch", "../folders", "--output", "table", cwd=project, path=path)
    lines = (project / "table/predictions.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 2 * 5


def test_a_file_dropped_into_mlforge_is_a_component(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(
        ROOT / "mlforge", copy / "mlforge", ignore=shutil.ignore_patterns("__pycache__")
    )
    for source, target in INSIDE.items():
        text = (PLUGINS / source).read_text(encoding="utf-8")
        # What a plugin says of its own release goes when it has none.
        text, _, rest = text.partition("    @classmethod\n    def versions")
        kept = "" if "metadata.version" in rest else f"    @classmethod\n    def versions{rest}"
        (copy / "mlforge" / target).write_text(text + (kept if rest else ""), encoding="utf-8")
    path = str(copy)
    assert listed("generators", "list", cwd=tmp_path, path=path)["framed"] == "mlforge"
    assert listed("techniques", "list", cwd=tmp_path, path=path)["vignette"] == "mlforge"
    assert listed("features", "list", cwd=tmp_path, path=path)["gradient_profile"] == "mlforge"
    assert listed("models", "available", cwd=tmp_path, path=path)["nearest_centroid"] == "mlforge"

    mlforge("init", "digits", "--example", "digits", cwd=tmp_path, path=path)
    project = tmp_path / "digits"
    new = ["categories", "add", "new", "categories/three/seeds", "--method", "framed"]
    mlforge(*new, "--technique", "vignette", cwd=project, path=path)
    generate = ["samples", "generate", "new", "--count", "12", "--workers", "1"]
    mlforge(*generate, cwd=project, path=path)
    train = [
        "train",
        "--features",
        "gradient_profile",
        "--model",
        "nearest_centroid",
        "--workers",
        "1",
    ]
    mlforge(*train, cwd=project, path=path)
    mlforge("predict", seed(project), cwd=project, path=path)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_the_whole_plugin_as_it_is(page: str) -> None:
    text = (HOW_TO / page).read_text(encoding="utf-8")
    shown = {match["label"]: match["code"] for match in LABELLED.finditer(text)}
    shown.pop("mlforge.toml", None)
    plugin = PLUGINS / PAGES[page]
    files = [path for path in sorted(plugin.rglob("*")) if path.suffix in {".py", ".toml"}]
    expected = {
        path.relative_to(PLUGINS).as_posix(): path.read_text(encoding="utf-8")
        for path in files
        if path.name not in NOT_SHOWN
    }
    assert shown == expected


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_work(page: str, installed: Installed, tmp_path: Path) -> None:
    shutil.copytree(installed.sources / PAGES[page], tmp_path / PAGES[page])
    text = (HOW_TO / page).read_text(encoding="utf-8")
    steps: list[Any] = [match.groupdict() for match in STEP.finditer(text)]
    script = "\n".join(
        f"cat > mlforge.toml <<'END'\n{step['settings']}END" if step["settings"]
        # Installed already, and without asking a network.
        else re.sub(r"^python -m pip install .*\n", "", step["commands"], flags=re.MULTILINE)
        for step in steps
    )  # fmt: skip
    done = run(["sh", "-ec", script], tmp_path, installed.path(PAGES[page]))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert " passed" in done.stdout
