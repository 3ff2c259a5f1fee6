"""The technique `mutation`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn, Technique
from mlforge_dna.modality import LETTERS

__all__ = ["Mutation"]


@dataclass(frozen=True, kw_only=True)
class MutationConfig(ComponentConfig):
    """The parameters of `mutation`."""

    limit: Annotated[float, Ge(0), Le(1)] = 0.05
    """The largest share of letters that are drawn anew."""


class Mutation(Technique):
    """Draws a few letters anew, as copying errors do."""

    name = "mutation"
    modality = "dna"
    Config = MutationConfig

    def apply(self, example: str, rng: np.random.Generator) -> tuple[str, Drawn]:
        """Return a varied sequence and the share of letters that were drawn anew."""
        share = round(float(rng.uniform(0.0, self.config.limit)), 4)
        drawn = rng.choice(list(LETTERS), len(example))
        changed = np.where(rng.random(len(example)) < share, drawn, list(example))
        return "".join(changed), {"share": share}

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions that decide the result."""
        return {"numpy": np.__version__, "mlforge-dna": metadata.version("mlforge-dna")}
