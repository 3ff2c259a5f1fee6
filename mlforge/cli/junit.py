"""Checks and gates as JUnit XML, which servers that run tests can show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlforge.cli.session import Session
    from mlforge.evaluation.gates import GateAnswer
    from mlforge.workflows.check import Finding

__all__ = [
    "JunitOption",
    "Verdict",
    "check_junit",
    "finding_verdicts",
    "gate_verdicts",
    "write_junit",
]

JunitOption = Annotated[
    Path | None,
    typer.Option(
        "--junit",
        metavar="FILE",
        help="Write what passed, failed or was inconclusive (skipped) as JUnit XML to FILE, whose "
        "name ends in .xml.",
        show_default=False,
    ),
]
# Also escaped they may not stand in XML 1.0; control characters and surrogates are told readably.
_NEVER_IN_XML = re.compile("[\ufffe\uffff]")


@dataclass(frozen=True)
class Verdict:
    """One test case: a gate, or something that was checked.

    Attributes
    ----------
    name
        What it is called.
    answer
        ``inconclusive`` is a skipped test.
    reason
        Why, in a sentence.
    """

    name: str
    answer: Literal["pass", "fail", "inconclusive"]
    reason: str


def check_junit(session: Session, file: Path | None) -> None:
    """Refuse a file that is not to be written over, before any work is done.

    Raises
    ------
    ConfigError
        If its name does not end in ``.xml``, or it lies among the categories.
    """
    from mlforge.core.names import printable
    from mlforge.errors import ConfigError

    if file is None:
        return
    where, hint = f"--junit {printable(str(file))}", "--junit results.xml"
    if file.suffix.lower() != ".xml":
        raise ConfigError(f"{where}: the name must end in .xml", hint)
    session.project.workspace.layout.require_outside_categories(file, where, hint)


def gate_verdicts(answers: Sequence[GateAnswer]) -> list[Verdict]:
    """Return a test case for each gate."""
    return [Verdict(answer.gate, answer.answer, answer.reason) for answer in answers]


def finding_verdicts(findings: Sequence[Finding]) -> list[Verdict]:
    """Return a test case for each finding: errors fail, warnings pass; one where there is none."""
    if not findings:
        return [Verdict("categories", "pass", "nothing found")]
    return [
        Verdict(
            f"{finding.category or 'categories'}: {finding.kind}",
            "fail" if finding.severity == "error" else "pass",
            f"{finding.message}; {finding.fix}",
        )
        for finding in findings
    ]


def write_junit(file: Path, suite: str, verdicts: Sequence[Verdict]) -> None:
    """Write test cases as JUnit XML.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    from xml.etree import ElementTree as ET

    from mlforge.storage.files import write_text

    given = [verdict.answer for verdict in verdicts]
    counts = {
        "name": f"mlforge {suite}",
        "tests": str(len(verdicts)),
        "failures": str(given.count("fail")),
        "errors": "0",
        "skipped": str(given.count("inconclusive")),
    }
    root = ET.Element("testsuites")
    parent = ET.SubElement(root, "testsuite", counts)
    tags = {"pass": "system-out", "fail": "failure", "inconclusive": "skipped"}
    for verdict in verdicts:
        name, reason = _text(verdict.name), _text(verdict.reason)
        case = ET.SubElement(parent, "testcase", classname=f"mlforge.{suite}", name=name)
        told = ET.SubElement(case, tags[verdict.answer])
        if verdict.answer == "pass":
            told.text = reason
        else:
            told.set("message", reason)
    write_text(file, f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, "unicode")}\n')


def _text(text: str) -> str:
    from mlforge.core.names import printable

    return _NEVER_IN_XML.sub("\ufffd", printable(text))
