from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib import metadata

import cv2
import numpy as np
import pytest

from mlforge.core.digest import canonical_json
from mlforge.techniques import TECHNIQUES, Technique
from mlforge.testing.techniques import image_examples


def techniques() -> list[Technique]:
    components = TECHNIQUES.components("image")
    return [c() for c in components if TECHNIQUES.origin(c) == "mlforge"]


def digest(technique: Technique, n_rounds: int = 1) -> str:
    total = hashlib.sha256()
    for round_ in range(n_rounds):
        for index, example in enumerate(image_examples()):
            result, drawn = technique.apply(example, np.random.default_rng([round_, index]))
            total.update(result.tobytes() + canonical_json(drawn).encode())
    return total.hexdigest()


@pytest.fixture
def opencv_threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


def test_a_technique_sent_to_another_process_gives_the_same_bytes() -> None:
    here = techniques()
    expected = [digest(technique) for technique in here]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(digest, here, timeout=120)) == expected


def test_threads_that_share_a_technique_get_the_same_bytes() -> None:
    for technique in techniques():
        expected = digest(technique)
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(lambda _, t=technique: digest(t), range(4))) == {expected}


@pytest.mark.usefixtures("opencv_threads")
def test_the_number_of_opencv_threads_changes_nothing() -> None:
    digests = []
    for n_threads in (1, 2, 7):
        cv2.setNumThreads(n_threads)
        digests.append([digest(technique) for technique in techniques()])
    assert digests[0] == digests[1] == digests[2]


def test_listing_imports_no_albumentations_and_using_it_never_asks_the_network() -> None:
    script = (
        "import os, sys, numpy as np\n"
        "from mlforge.techniques import TECHNIQUES\n"
        "made = [t() for t in TECHNIQUES.components('image')]\n"
        "versions = [t.versions() for t in made]\n"
        "assert 'albumentations' not in sys.modules\n"
        "image = np.zeros((9, 9, 3), np.uint8)\n"
        "[t.apply(image, np.random.default_rng(0)) for t in made]\n"
        "assert 'albumentations' in sys.modules\n"
        "assert os.environ['NO_ALBUMENTATIONS_UPDATE'] == '1'\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_versions_name_the_libraries_that_decide_the_bytes() -> None:
    color = TECHNIQUES.get("color", "image").versions()
    assert color["albumentations"] == metadata.version("albumentations")
    assert color["albucore"] == metadata.version("albucore")
    assert color["opencv"] == cv2.__version__
    noise = TECHNIQUES.get("noise_addition", "image").versions()
    assert noise == {"numpy": np.__version__, "opencv": cv2.__version__}
