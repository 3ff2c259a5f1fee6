"""Fixtures that several folders share: small drawn pictures, and projects made of them."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

from mlforge import Project
from mlforge.workflows.generate import GenerateOptions
from mlforge.workflows.train import TrainOptions

# Whoever starts the tests in the background may ignore Ctrl-C, and what they start would too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Continuous integration draws the same examples on every run; at a desk they vary.
settings.register_profile("desk", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

# Quick to extract and to fit: the project's behaviour is tested here, not its accuracy.
_SETTINGS = """\
[features]
use = ["thumbnail", "color"]

[train]
folds = 3

[features.learned]
side = 32
width = 4
steps = 40

[models.random_forest]
n_estimators = 10
"""
_N_SEEDS = {"circle": 4, "square": 5, "triangle": 6}


def _draw(shape: str, number: int) -> bytes:
    """Return a PNG of 48 x 48 pixels; each shape and number give another picture."""
    rng = np.random.default_rng([number, *shape.encode()])
    picture: npt.NDArray[np.uint8] = rng.integers(90, 160, (48, 48, 3), dtype=np.uint8)
    x, y = (int(v) for v in rng.integers(20, 28, 2))
    if shape == "circle":
        cv2.circle(picture, (x, y), 13, (30, 40, 220), -1)
    elif shape == "square":
        cv2.rectangle(picture, (x - 12, y - 12), (x + 12, y + 12), (40, 200, 60), -1)
    else:
        corners = np.array([[x, y - 14], [x - 14, y + 12], [x + 14, y + 12]])
        cv2.fillPoly(picture, [corners], (220, 80, 30))
    return cv2.imencode(".png", picture)[1].tobytes()


@pytest.fixture(scope="session")
def draw() -> Callable[[str, int], bytes]:
    """Draw a picture: a shape (circle, square, triangle) and the number of its variant."""
    return _draw


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three class folders with 4, 5 and 6 pictures; not to be changed."""
    folder = tmp_path_factory.mktemp("shapes")
    for shape, n_seeds in _N_SEEDS.items():
        (folder / shape).mkdir()
        for number in range(n_seeds):
            (folder / shape / f"{shape}_{number}.png").write_bytes(_draw(shape, number))
    return folder


@pytest.fixture(scope="session")
def endless_graph() -> bytes:
    """Return a graph of a few KiB that multiplies matrices for an hour, whatever its input."""
    from onnx import TensorProto, helper

    n_rounds = 3_000
    side = helper.make_tensor("side", TensorProto.INT64, [2], [3000, 3000])
    nodes = [helper.make_node("ConstantOfShape", ["side"], ["m0"])]
    nodes += [
        helper.make_node("MatMul", ["m0", f"m{number}"], [f"m{number + 1}"])
        for number in range(n_rounds)
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [0, 1])
    nodes += [
        helper.make_node("ReduceSum", [f"m{n_rounds}", "axes"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, None])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, None])
    graph = helper.make_graph(nodes, "endless", [taken], [given], [side, axes])
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    return bytes(model.SerializeToString())


@pytest.fixture
def _no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no disk: what a power failure leaves is tested where nothing is patched."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="session")
def _seeded(tmp_path_factory: pytest.TempPathFactory, shapes: Path) -> Path:
    root = tmp_path_factory.mktemp("seeded") / "project"
    project = Project.init(root)
    (root / "mlforge.toml").write_text(_SETTINGS)
    project.import_categories(shapes)
    return root


@pytest.fixture(scope="session")
def _generated(tmp_path_factory: pytest.TempPathFactory, _seeded: Path) -> Path:
    root = tmp_path_factory.mktemp("generated") / "project"
    shutil.copytree(_seeded, root)
    Project(root).generate(GenerateOptions(count=8, workers=1))
    return root


@pytest.fixture(scope="session")
def _trained(tmp_path_factory: pytest.TempPathFactory, _generated: Path) -> Path:
    root = tmp_path_factory.mktemp("trained") / "project"
    shutil.copytree(_generated, root)
    Project(root).train(TrainOptions(workers=1))
    return root


@pytest.fixture
def project(tmp_path: Path, _seeded: Path, _no_sync: None) -> Project:
    """Return a project of its own for the test, with the seeds of `shapes`."""
    return Project(Path(shutil.copytree(_seeded, tmp_path / "project")))


@pytest.fixture
def generated(tmp_path: Path, _generated: Path, _no_sync: None) -> Project:
    """Return a project of its own for the test, with 8 samples a category."""
    return Project(Path(shutil.copytree(_generated, tmp_path / "generated")))


@pytest.fixture
def trained(tmp_path: Path, _trained: Path, _no_sync: None) -> Project:
    """Return a project of its own for the test, with samples and one random_forest."""
    return Project(Path(shutil.copytree(_trained, tmp_path / "trained")))


@dataclass(frozen=True)
class Asked:
    """What a service was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Service:
    """A real HTTP server on loopback; the test decides what it answers and reads what came."""

    url: str = ""
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[BaseHTTPRequestHandler, Asked], None] = lambda handler, asked: None

    def reply(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer every request alike; an underscore in a header's name stands for a hyphen."""

        def answer(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
            self.send(handler, body, status, **headers)

        self.answer = answer

    @staticmethod
    def send(
        handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str
    ) -> None:
        """Answer one request."""
        handler.send_response(status)
        for name, value in {"Content_Length": f"{len(body)}", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing where the client hangs up: it often is to."""


@pytest.fixture
def service() -> Iterator[Service]:
    """Return a server that answers as the test says."""
    with _serving() as made:
        yield made


@pytest.fixture
def other_service() -> Iterator[Service]:
    """Return another such server, on a port of its own."""
    with _serving() as made:
        yield made


@contextmanager
def _serving() -> Iterator[Service]:
    made = Service()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, body)
            made.asked.append(asked)
            made.answer(self, asked)

        do_GET = do_POST = handle_any  # noqa: N815 - the names that http.server looks for

        def log_message(self, *arguments: object) -> None:
            """Print nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    made.url = f"http://127.0.0.1:{made.port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join(60)
    assert not thread.is_alive()
