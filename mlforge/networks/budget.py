"""How long a step takes, from which a budget of seconds becomes a number of steps."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from mlforge.networks.plan import Draw, NetworkPlan
from mlforge.networks.training import train_network

__all__ = ["seconds_a_step"]

_N_TIMED = 12


def seconds_a_step(plan: NetworkPlan, draw: Draw) -> float:
    """Return how long a step of training takes on this machine, above 0.

    Parameters
    ----------
    plan
        The network; its own number of steps does not matter.
    draw
        Gives the batches.
    """
    times: list[float] = []
    trial = dataclasses.replace(plan, n_steps=_N_TIMED)
    train_network(trial, draw, np.random.default_rng(0), lambda: times.append(time.perf_counter()))
    # The first steps prepare what the later ones use.
    return max(float(np.median(np.diff(times)[_N_TIMED // 3 :])), 1e-6)
