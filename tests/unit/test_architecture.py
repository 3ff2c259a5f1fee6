"""Rules that hold for all of the code, read from its source."""

from __future__ import annotations

import ast
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlforge

PACKAGE = Path(mlforge.__file__).parent
STORAGE = PACKAGE / "storage"
PATIENCE = 120

# What writes, makes, moves or removes files, by the module it belongs to.
WRITING_FUNCTIONS = {
    "os": {
        *("chmod", "fdopen", "link", "makedirs", "mkdir", "mkfifo", "open", "remove", "removedirs"),
        *("rename", "renames", "replace", "rmdir", "symlink", "truncate", "unlink", "utime"),
    },
    "shutil": {
        *("copy", "copy2", "copyfile", "copyfileobj", "copytree", "make_archive", "move", "rmtree"),
        "unpack_archive",
    },
    "tempfile": {
        *("NamedTemporaryFile", "SpooledTemporaryFile", "TemporaryDirectory", "TemporaryFile"),
        *("mkdtemp", "mkstemp"),
    },
    "np": {"save", "savetxt", "savez", "savez_compressed", "memmap"},
    "cv2": {"imwrite", "imwritemulti", "VideoWriter", "FileStorage"},
    "onnx": {"save", "save_model"},
    "sqlite3": {"connect"},
}
# Methods that only paths and arrays have.
WRITING_METHODS = {
    *("hardlink_to", "mkdir", "rename", "rmdir", "symlink_to", "tofile", "touch", "unlink"),
    *("write_bytes", "write_text"),
}
PICKLES = {"cloudpickle", "dill", "marshal", "pickle", "shelve", "_pickle"}
UNSAFE_CALLS = {
    *("joblib.load", "joblib.dump", "torch.load", "torch.save"),
    *("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"),
}
HEAVY = {
    *("albumentations", "huggingface_hub", "joblib", "onnx", "scipy", "skl2onnx", "sklearn"),
    *("torch", "xgboost", "onnxmltools"),
}


def sources() -> list[Path]:
    found = sorted(PACKAGE.rglob("*.py"))
    assert len(found) > 50
    return found


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def dotted(node: ast.expr) -> str:
    """Return `a.b.c` for a chain of attributes; what is no name is left out."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def imported(tree: ast.AST) -> dict[str, str]:
    """Return what each imported name stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.asname or a.name.partition(".")[0]: a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return {name: "np" if whole == "numpy" else whole for name, whole in names.items()}


def resolved(node: ast.expr, names: dict[str, str]) -> str:
    first, dot, rest = dotted(node).partition(".")
    return f"{names.get(first, first)}{dot}{rest}"


def opens_for_writing(call: ast.Call, place_of_mode: int) -> bool:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    given += call.args[place_of_mode : place_of_mode + 1]
    if not given:
        return False
    mode = given[0]
    if isinstance(mode, ast.Constant) and isinstance(mode.value, str):
        return bool(set(mode.value) & set("wax+")) and set(mode.value) <= set("rwaxbt+U")
    # A mode that is worked out could be anything; a method's argument need not be a mode.
    return place_of_mode == 1


def memory_buffers(tree: ast.AST) -> set[str]:
    """Return the names that stand for a buffer in memory."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name) and dotted(node.value.func).endswith("BytesIO")
    }


def writes(tree: ast.AST) -> list[int]:
    """Return the lines that write files themselves."""
    names, buffers = imported(tree), memory_buffers(tree)
    return [call.lineno for call in calls(tree) if _writes(call, names, buffers)]


def _writes(call: ast.Call, names: dict[str, str], buffers: set[str]) -> bool:
    whole = resolved(call.func, names)
    module, _, function = whole.rpartition(".")
    if whole in {"open", "io.open", "builtins.open", "codecs.open", "gzip.open", "PIL.Image.open"}:
        return opens_for_writing(call, 1)
    if function in WRITING_FUNCTIONS.get(module, ()):
        return not (call.args and dotted(call.args[0]) in {*buffers, "os.devnull"})
    if not isinstance(call.func, ast.Attribute):
        return False
    method = call.func.attr
    if method == "open":
        return opens_for_writing(call, 0)
    if method == "replace":
        # Of a text it takes two; with one argument it is that of a path.
        return len(call.args) == 1 and not call.keywords
    if method == "save":
        to_store = dotted(call.func.value).endswith("artifacts")
        in_memory = bool(call.args) and dotted(call.args[0]) in buffers
        return not (to_store or in_memory)
    return method in WRITING_METHODS


def runs_what_it_reads(tree: ast.AST) -> list[int]:
    """Return the lines that could run code that a file holds."""
    names = imported(tree)
    found = {call.lineno for call in calls(tree) if _is_unsafe(call, names)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            of = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
            modules = [of + alias.name for alias in node.names]
            if any(m.partition(".")[0] in PICKLES or m in UNSAFE_CALLS for m in modules):
                found.add(node.lineno)
    return sorted(found)


def _is_unsafe(call: ast.Call, names: dict[str, str]) -> bool:
    if resolved(call.func, names) in {"eval", "exec", "compile", "__import__"} | UNSAFE_CALLS:
        return True
    pickles = [keyword.value for keyword in call.keywords if keyword.arg == "allow_pickle"]
    return any(not (isinstance(v, ast.Constant) and v.value is False) for v in pickles)


BAD_WRITES = """
open("a", "w")
open("a", mode="ab")
open("a", "r+")
open("a", mode)
io.open("a", "x")
path.open("w")
path.open(mode="w")
Path("a").write_text("x")
(folder / "a").write_bytes(b"")
path.mkdir()
path.unlink(missing_ok=True)
path.replace(other)
path.rename(other)
path.touch()
os.makedirs("a")
os.replace("a", "b")
os.remove("a")
os.open("a", flags)
shutil.rmtree("a")
shutil.copy("a", "b")
copytree("a", "b")
np.save("a.npy", array)
numpy.savez(path, array)
cv2.imwrite("a.png", image)
image.save("a.png")
Image.fromarray(array).save(path)
array.tofile("a")
tempfile.mkdtemp()
"""
GOOD_WRITES = """
open("a")
open("a", "rb")
path.open()
path.open("rb")
Image.open(path)
TableWriter.open(path, columns)
write_bytes(path, b"")
text.replace("a", "b")
dataclasses.replace(value, key=3)
workspace.artifacts.save(name, manifest, files)
image.save(buffer, format="png")
np.savez(buffer, array)
names.remove("a")
os.listdir("a")
os.open(os.devnull, os.O_WRONLY)
os.environ.setdefault("a", "b")
"""
IMPORTS = """
import io, os, shutil, tempfile, cv2, dataclasses, numpy, numpy as np
from shutil import copytree
from PIL import Image
buffer = io.BytesIO()
"""
BAD_READS = """
import pickle
import pickle as p
from pickle import loads
from joblib import load
import _pickle
eval("1")
exec("1")
compile("1", "a", "exec")
__import__("os")
joblib.load("a")
torch.load("a")
yaml.load("a")
np.load("a", allow_pickle=True)
np.load("a", allow_pickle=flag)
"""
GOOD_READS = """
import json
from joblib import Parallel
model.eval()
re.compile("a")
np.load("a", allow_pickle=False)
yaml.safe_load("a")
json.loads("1")
"""


def each(snippet: str) -> list[str]:
    return snippet.strip().splitlines()


@pytest.mark.parametrize("line", each(BAD_WRITES))
def test_the_scan_finds_what_writes(line: str) -> None:
    assert writes(ast.parse(IMPORTS + line)) == [6]


@pytest.mark.parametrize("line", each(GOOD_WRITES))
def test_the_scan_lets_the_rest_be(line: str) -> None:
    assert writes(ast.parse(IMPORTS + line)) == []


@pytest.mark.parametrize("line", each(BAD_READS))
def test_the_scan_finds_what_could_run_what_it_reads(line: str) -> None:
    assert runs_what_it_reads(ast.parse(line)) == [1]


@pytest.mark.parametrize("line", each(GOOD_READS))
def test_the_scan_lets_what_only_reads_be(line: str) -> None:
    assert runs_what_it_reads(ast.parse(line)) == []


def test_only_storage_writes_files() -> None:
    outside = [path for path in sources() if not path.is_relative_to(STORAGE)]
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in outside
        for line in writes(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []
    # The scan sees the writing where it belongs, so an empty list above means something.
    assert writes(ast.parse((STORAGE / "files.py").read_text(encoding="utf-8")))


def test_every_graph_is_run_through_one_door() -> None:
    makers = [path for path in sources() if "InferenceSession(" in path.read_text("utf-8")]
    assert [path.relative_to(PACKAGE).as_posix() for path in makers] == ["core/onnx_graph.py"]


def test_nothing_that_is_read_is_run() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sources()
        for line in runs_what_it_reads(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


IMPORT_ALL = """
import importlib, json, sys
heavy, found = set(json.loads(sys.argv[1])), {}
for name in json.loads(sys.argv[2]):
    before = set(sys.modules)
    importlib.import_module(name)
    new = heavy & {module.partition(".")[0] for module in set(sys.modules) - before}
    if new:
        found[name] = sorted(new)
print(json.dumps(found))
"""


def import_all(names: list[str]) -> dict[str, list[str]]:
    """Import modules in a fresh process; return which of the heavy ones each brought along."""
    child = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            IMPORT_ALL,
            json.dumps(sorted(HEAVY)),
            json.dumps(names),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    found: dict[str, list[str]] = json.loads(child.stdout)
    return found


def test_every_module_can_be_imported_and_none_brings_a_heavy_library_along() -> None:
    walked = pkgutil.walk_packages([str(PACKAGE)], "mlforge.")
    # Importing this one is running the command.
    names = [module.name for module in walked if module.name != "mlforge.__main__"]
    assert len(names) > 50
    assert import_all(names) == {}


def test_a_heavy_import_would_be_noticed() -> None:
    assert import_all(["joblib"]) == {"joblib": ["joblib"]}
