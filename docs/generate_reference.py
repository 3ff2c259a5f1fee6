"""Write the pages and the schema that are made from the code.

Run ``python docs/generate_reference.py`` after a change of commands, options, schemas or
components; ``--check`` writes nothing and exits with 1 when a file is out of date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlforge.cli.session import CommandSpec

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "mlforge" / "core" / "category.schema.json"
COMMANDS = ROOT / "docs" / "reference" / "commands.md"
CONFIG = ROOT / "docs" / "reference" / "config.md"
GENERATED = "<!-- Made by docs/generate_reference.py; changes here are lost. -->"
EVERY_EXIT = (0, 2, 70, 130, 141, 143)
COMMON_OPTIONS = ("--project", "--json", "--quiet", "--verbose", "--debug", "--help")


def category_schema() -> str:
    """Return the JSON Schema of a category's ``config.json``."""
    from mlforge.core.category import CategoryConfig
    from mlforge.core.names import MAX_CODE_LENGTH

    schema = CategoryConfig.model_json_schema(by_alias=True)
    properties: dict[str, Any] = schema["properties"]
    properties["category_code"]["pattern"] = f"^[a-z0-9][a-z0-9_-]{{0,{MAX_CODE_LENGTH - 1}}}$"
    properties["sample_texts"] = {
        **properties["sample_inputs"],
        "description": "Another name for `sample_inputs`.",
    }
    section = schema["$defs"]["AugmentationSettings"]["properties"]
    section["techniques"]["items"]["anyOf"][0]["description"] = "The technique's name."
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "mlforge category",
        "properties": properties,
    }
    return json.dumps(_without_titles(whole), indent=2, ensure_ascii=False) + "\n"


def _without_titles(schema: Any, *, names_are_keys: bool = False) -> Any:
    """Drop the titles that only repeat a key; keep a property that is called ``title``."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value, names_are_keys=key in {"properties", "$defs"})
        for key, value in schema.items()
        if names_are_keys or key != "title" or "$schema" in schema
    }


def commands_page() -> str:
    """Return the page of all commands."""
    from typer.main import get_command

    from mlforge.cli.app import commands, make_app

    root = get_command(make_app(rich_help=False))
    lines = ["# Commands", "", GENERATED, "", *_common(root)]
    for registered in commands():
        lines += _command(root, registered.spec)
    return "\n".join(lines).rstrip() + "\n"


def _common(root: Any) -> Iterator[str]:
    from mlforge.cli.session import EXITS

    yield "`python -m mlforge` is the same as `mlforge`. Results go to stdout;"
    yield "progress, warnings and errors to stderr."
    yield ""
    yield "## Options of every command"
    yield ""
    options = [_option(p) for p in _find(root, "train").params if p.opts[0] in COMMON_OPTIONS]
    options.append(("`--help`, `-h`", "Show the help with examples."))
    yield from _table(("option", "meaning"), options)
    yield ""
    yield "`init` has no `--project`. `mlforge --version` prints the version;"
    yield "`mlforge --install-completion` makes the shell complete category codes, versions and"
    yield "component names."
    yield ""
    yield "Where stdout is not a terminal, or `NO_COLOR` is set, tables are plain aligned text."
    yield ""
    yield "## Exit codes"
    yield ""
    yield from _table(("exit", "meaning"), [(str(code), text) for code, text in EXITS.items()])
    yield ""
    yield "## JSON documents"
    yield ""
    yield "`--json` prints one document, with the keys that each command lists and the key"
    yield "`schema`; `predict` prints one for each file, one a line. Keys are only ever added."
    yield "An error is a document too:"
    yield ""
    yield "```json"
    yield '{"schema": "mlforge.error/1", "message": "...", "hint": "...", "exit": 3}'
    yield "```"
    yield ""


def _find(root: Any, path: str) -> Any:
    command = root
    for word in path.split():
        command = command.commands[word]
    return command


def _command(root: Any, spec: CommandSpec) -> Iterator[str]:

    command = _find(root, spec.path)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [
        p
        for p in command.params
        if p.param_type_name == "option" and p.opts[0] not in COMMON_OPTIONS
    ]
    words = [a.metavar or a.name for a in arguments]
    yield f"## mlforge {spec.path}"
    yield ""
    yield command.help
    yield ""
    yield "```console"
    yield from spec.examples
    yield "```"
    yield ""
    if arguments:
        rows = [(f"`{w}`", a.help or "") for w, a in zip(words, arguments, strict=True)]
        yield from _table(("argument", "meaning"), rows)
        yield ""
    if options:
        yield from _table(("option", "meaning"), [_option(option) for option in options])
        yield ""
    exits = sorted({*EVERY_EXIT, *spec.exits})
    yield f"Exit codes: {', '.join(map(str, exits))}."
    yield ""
    yield f"JSON, `{spec.schema}`:"
    yield ""
    yield from _table(("key", "holds"), [(f"`{key}`", text) for key, text in spec.keys.items()])
    yield ""


def _option(parameter: Any) -> tuple[str, str]:
    name = ", ".join(f"`{word}`" for word in parameter.opts)
    if parameter.metavar:
        name += f" `{parameter.metavar}`"
    choices = getattr(parameter.type, "choices", None)
    if choices:
        name += f" `{'|'.join(choices)}`"
    default = parameter.default
    said = "" if default in (None, False) or callable(default) else f" Default: `{default}`."
    return name, f"{parameter.help}{said}"


def config_page() -> str:
    """Return the page of all configuration: categories, project, components."""
    from mlforge.core.category import CategoryConfig
    from mlforge.core.settings import ProjectSettings

    lines = ["# Configuration", "", GENERATED, ""]
    lines += ["## categories/CODE/config.json", ""]
    lines += ["An unknown key is an error that names the nearest known one, except in"]
    lines += ["`generation_settings.parameters` and `metadata`.", ""]
    lines += _keys(CategoryConfig.model_json_schema(by_alias=True))
    lines += ["", "## mlforge.toml", "", "Every key is optional.", ""]
    lines += _keys(ProjectSettings.model_json_schema(by_alias=True))
    for title, registry, where in _registries():
        lines += ["", f"## {title}", "", where]
        for component in registry.components():
            if registry.origin(component) == "mlforge":
                lines += _component(component)
    return "\n".join(lines).rstrip() + "\n"


def _registries() -> list[tuple[str, Any, str]]:
    from mlforge.extractors import EXTRACTORS
    from mlforge.generators import GENERATORS
    from mlforge.modalities import MODALITIES
    from mlforge.models import MODELS
    from mlforge.techniques import TECHNIQUES

    return [
        ("Modalities", MODALITIES, "In `mlforge.toml`: `[image]`."),
        (
            "Generators",
            GENERATORS,
            "In `config.json`: `generation_settings.method` and `generation_settings.parameters`.",
        ),
        (
            "Techniques",
            TECHNIQUES,
            "In `config.json`: `augmentation_settings.techniques`, by name or as an object.",
        ),
        (
            "Extractors",
            EXTRACTORS,
            "In `mlforge.toml`: `[features] use`, and `[features.hog]` for parameters.",
        ),
        (
            "Models",
            MODELS,
            "In `mlforge.toml`: `[train] models`, and `[models.random_forest]` for parameters.",
        ),
    ]


def _component(component: Any) -> Iterator[str]:
    from mlforge.core.validation import json_schema

    yield ""
    yield f"### {component.name}"
    yield ""
    yield component.summary()
    if component.extra:
        yield ""
        yield f"Needs an extra: `{component.install_command()}`."
    keys = _keys(json_schema(component.Config))
    if keys:
        yield ""
        yield from keys


def _keys(schema: Mapping[str, Any]) -> list[str]:
    rows = list(_rows(schema, schema.get("$defs", {}), ""))
    return list(_table(("key", "type", "default", "meaning"), rows)) if rows else []


def _rows(
    schema: Mapping[str, Any], known: Mapping[str, Any], path: str
) -> Iterator[tuple[str, str, str, str]]:
    for name, value in schema.get("properties", {}).items():
        key = f"{path}.{name}" if path else name
        target = known.get(value.get("$ref", "").rpartition("/")[2])
        if target is not None:
            yield from _rows(target, known, key)
            continue
        required = name in schema.get("required", ())
        default = "required" if required else _default(value)
        meaning = " ".join(str(value.get("description", "")).split())
        yield f"`{key}`", _type(value, known), default, meaning


def _default(value: Mapping[str, Any]) -> str:
    return f"`{json.dumps(value['default'])}`" if "default" in value else ""


def _type(value: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    if "$ref" in value:
        return "object with `name`" if value["$ref"].endswith("TechniqueSpec") else "object"
    if "anyOf" in value:
        return " or ".join(_type(option, known) for option in value["anyOf"])
    if "enum" in value:
        return ", ".join(f"`{json.dumps(option)}`" for option in value["enum"])
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    kind = value.get("type", "any")
    if kind == "array":
        items = value.get("items") or value.get("prefixItems", [{}])[0]
        return f"list of {_type(items, known)}"
    bounds = [
        f"{sign} {value[key]:g}"
        for key, sign in (
            ("minimum", ">="),
            ("exclusiveMinimum", ">"),
            ("maximum", "<="),
            ("exclusiveMaximum", "<"),
        )
        if key in value
    ]
    return " ".join([kind, ", ".join(bounds)]).strip()


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    head = list(head)
    yield _line(head)
    yield _line(["---"] * len(head))
    for row in rows:
        yield _line(cell.replace("|", "\\|") for cell in row)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def pages() -> dict[Path, str]:
    """Return the text of every generated file."""
    return {SCHEMA: category_schema(), COMMANDS: commands_page(), CONFIG: config_page()}


def main() -> int:
    """Write every generated file, or with ``--check`` name those that are out of date."""
    texts = pages()
    stale = [
        path
        for path, text in texts.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)}: out of date; run: python docs/generate_reference.py")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path], encoding="utf-8")
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
