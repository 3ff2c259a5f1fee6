"""Validation by Pydantic, with errors that name file, key and the nearest known key."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

from mlforge.core.names import printable, suggestion
from mlforge.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

__all__ = ["json_schema", "validated"]

T = TypeVar("T")
# How Pydantic names the member of a union that it tried, in a location.
_UNION_MEMBER = re.compile(r"\[|^(str|int|float|constrained-\w+)$")
_UNKNOWN_KEY = {"extra_forbidden", "unexpected_keyword_argument"}


def validated(schema: type[T], values: Any, where: str, hint: str = "") -> T:
    """Return `values` as an instance of `schema`, a Pydantic model or a frozen dataclass.

    Parameters
    ----------
    schema
        The class to make.
    values
        JSON-like values: what a JSON or TOML file held, or what the command line said.
    where
        The file or option that the values come from, for messages.
    hint
        What to do next, unless the error itself says something better.

    Raises
    ------
    ConfigError
        One line for each wrong key, with its path; an unknown key gets the nearest known one.
    """
    from pydantic import ValidationError

    try:
        # JSON mode is strict about types (no "3" for 3) and still takes a list for a tuple.
        text = json.dumps(values, allow_nan=False, default=str)
    except ValueError:
        message = f"{where}: NaN, infinities and numbers of thousands of digits are not allowed"
        raise ConfigError(message, hint) from None
    except RecursionError:
        raise ConfigError(f"{where}: nested too deeply", hint) from None
    try:
        return _adapter(schema).validate_json(text, strict=True)
    except ValidationError as error:
        lines, suggested = _explain(error, schema)
        message = "\n".join(f"{where}: {line}" for line in lines)
        raise ConfigError(message, suggested or hint) from None


def json_schema(schema: type[Any]) -> dict[str, Any]:
    """Return the JSON Schema of a Pydantic model or of a component's configuration."""
    return _adapter(schema).json_schema()


def _adapter(schema: type[T]) -> TypeAdapter[T]:
    from pydantic import TypeAdapter

    return TypeAdapter(schema)


def _explain(error: ValidationError, schema: type[Any]) -> tuple[list[str], str]:
    lines, hint = [], ""
    for item in error.errors(include_url=False):
        path = _path(item["loc"])
        if item["type"] in _UNKNOWN_KEY:
            name = str(item["loc"][-1])
            above = _path(item["loc"][:-1])
            lines.append(f"{above}{'.' if above else ''}{printable(name)}: unknown key")
            hint = hint or suggestion(name, _keys_at(schema, item["loc"][:-1]))
        else:
            message = item["msg"].removeprefix("Value error, ")
            if item["type"] == "too_short":
                message = f"give at least {item['ctx']['min_length']}"
            message = message[:1].lower() + message[1:]
            given = item["input"]
            shown = "" if isinstance(given, dict | list) else f" (got {_shorten(given)})"
            lines.append(f"{path}: {message}{shown}" if path else message)
    return lines, hint


def _shorten(value: Any) -> str:
    text = printable(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= 60 else text[:57] + "..."


def _path(location: tuple[str | int, ...]) -> str:
    """Return ``a.b[2].c``; parts that only name a member of a union are left out."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not _UNION_MEMBER.search(part):
            path += f".{printable(part)}" if path else printable(part)
    return path


def _keys_at(schema: type[Any], location: tuple[str | int, ...]) -> list[str]:
    """Return the keys that `schema` knows at `location`."""
    current: Any = schema
    for part in location:
        annotation = _annotations(current).get(str(part))
        nested = [t for t in _alternatives(annotation) if _annotations(t)]
        if nested:
            current = nested[0]
    return [key for key in _annotations(current) if key != "schema_"]


def _annotations(schema: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(schema):
        return {field.name: field.type for field in dataclasses.fields(schema)}
    fields: dict[str, Any] = getattr(schema, "model_fields", {})
    return {name: field.annotation for name, field in fields.items()}


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    arguments: tuple[Any, ...] = getattr(annotation, "__args__", ())
    return (annotation, *arguments)
