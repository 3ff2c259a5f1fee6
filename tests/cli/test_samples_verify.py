from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlforge import Project

Invoke = Callable[..., Any]


def test_verify_exits_with_0_where_all_is_well_and_with_3_where_a_file_was_edited(
    generated: Project, invoke: Invoke
) -> None:
    well = invoke("samples", "verify", "--workers", "1", cwd=generated.root)
    assert (well.code, "Verified 24 samples, byte for byte." in well.out) == (0, True)
    path = next(generated.root.glob("categories/circle/samples/sample_*"))
    path.write_bytes(b"x")
    bad = invoke("samples", "verify", "--workers", "1", "--json", cwd=generated.root)
    assert bad.code == 3
    assert bad.document["ok"] is False
    assert bad.document["categories"][0]["changed"] == [path.name]
    text = invoke("samples", "verify", "circle", "--workers", "1", cwd=generated.root)
    assert f"circle/{path.name}" in text.out
    assert "edited or damaged" in text.out


def test_a_file_that_is_not_ours_is_not_to_be_made_anew(generated: Project, invoke: Invoke) -> None:
    folder = generated.root / "categories/circle/samples"
    (folder / "sample_deadbeef_0001.png").write_bytes(b"x")
    done = invoke("samples", "verify", "--workers", "1", cwd=generated.root)
    assert done.code == 3
    assert "What is in no manifest is not ours: move it away." in done.out
    assert "samples generate" not in done.out
    (folder / "sample_deadbeef_0001.png").unlink()
    next(folder.glob("sample_*")).unlink()
    done = invoke("samples", "verify", "--workers", "1", cwd=generated.root)
    assert done.out.rstrip().endswith("To make them as they should be: mlforge samples generate")


def test_why_names_seed_recipe_and_hashes(generated: Project, invoke: Invoke) -> None:
    path = next(generated.root.glob("categories/circle/samples/sample_*"))
    told = invoke("samples", "why", path, cwd=generated.root)
    assert told.code == 0
    assert "categories/circle/seeds/circle_" in told.out
    assert "rotation" in told.out
    assert "angle" in told.out
    sample = invoke("samples", "why", path.name, "--json", cwd=generated.root).document["sample"]
    assert sample["state"] == "as made"
    assert sample["digest"] in told.out
    assert invoke("samples", "why", "sample_none.png", cwd=generated.root).code == 3


def test_generate_says_where_an_earlier_count_comes_from(
    generated: Project, invoke: Invoke
) -> None:
    told = invoke("samples", "generate", "--workers", "1", cwd=generated.root)
    assert "The count is that of an earlier run: 8 a category; --count N changes it." in told.out


def test_locked_beside_a_count_is_a_usage_error(generated: Project, invoke: Invoke) -> None:
    told = invoke("samples", "generate", "--locked", "--count", "8", cwd=generated.root)
    assert told.code == 2
    assert "the lock says how many" in told.err
