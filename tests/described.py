"""What the manifest of an artifact says of its model, as a training wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).with_name("golden") / "artifacts" / "v1" / "artifact" / "manifest.json"
# What storing it says of it: of which version it is, and of what files.
STORED = {"schema", "version", "files", "digest"}
DESCRIBED: dict[str, Any] = {
    key: value for key, value in json.loads(MANIFEST.read_bytes()).items() if key not in STORED
}
