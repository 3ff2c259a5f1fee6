"""Training a network on examples that are varied anew in each batch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlforge.networks.plan import Draw, NetworkPlan

if TYPE_CHECKING:
    import torch

__all__ = ["Layer", "TrainedNetwork", "device_name", "train_network"]

# Found on photos of hand signs, with 10 and 30 of each; see docs/explanation/learned-features.md.
_SMOOTHING = 0.1
_WEIGHT_DECAY = 0.02
_WARM_UP = 0.25


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution with the normalization after it folded in, as plain arrays.

    Attributes
    ----------
    weight
        ``n_out x n_in x 3 x 3``, float32.
    bias
        ``n_out``, float32.
    """

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network as plain arrays.

    Attributes
    ----------
    layers
        Each is followed by a rectifier, all but the last by pooling of 2 x 2, and the last by the
        mean over the picture, which gives the features.
    head
        The weights by which the features told categories apart while it was trained,
        ``n_categories x n_features``, float32.
    """

    layers: tuple[Layer, ...]
    head: npt.NDArray[np.float32]


def train_network(
    plan: NetworkPlan,
    draw: Draw,
    rng: np.random.Generator,
    advance: Callable[[], None],
) -> TrainedNetwork:
    """Train a network with a head that tells categories apart.

    One thread computes: fits run side by side instead, and the result is the same on any number of
    processors of a kind. Where there is a CUDA device, it computes there; where the processor has
    bfloat16, in that.

    Parameters
    ----------
    plan
        The network and its schedule.
    draw
        Gives the batches.
    rng
        The only source of randomness.
    advance
        Called after each step; what it raises ends the training.

    Returns
    -------
    TrainedNetwork
        On the processor, normalization folded into the layers.

    References
    ----------
    I. Loshchilov, F. Hutter (2019), Decoupled weight decay regularization, International
    Conference on Learning Representations. L. N. Smith, N. Topin (2019), Super-convergence: very
    fast training of neural networks using large learning rates, Proceedings of SPIE 11006. C.
    Szegedy et al. (2016), Rethinking the Inception architecture for computer vision, Conference on
    Computer Vision and Pattern Recognition (label smoothing).
    """
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)
    # On a CUDA device too the same draws are to give the same network.
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    device = _device()
    network = _network(plan, rng).to(device, memory_format=torch.channels_last)
    network.train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=plan.learning_rate, weight_decay=_WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.learning_rate, total_steps=plan.n_steps + 1, pct_start=_WARM_UP
    )
    for _ in range(plan.n_steps):
        arrays, labels = draw(plan.batch_size, rng)
        batch = torch.from_numpy(arrays).to(device).permute(0, 3, 1, 2)
        with torch.autocast(device.type, torch.bfloat16, enabled=_has_bfloat16(device)):
            said = network(batch * 2 - 1)
        loss = functional.cross_entropy(
            said.float(), torch.from_numpy(labels).to(device), label_smoothing=_SMOOTHING
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        advance()
    return TrainedNetwork(tuple(_folded(network)), network[-1].weight.detach().cpu().numpy())


def device_name() -> str:
    """Return what networks are trained on, and in which numbers.

    A CUDA device by its name, or ``cpu``; then ``bfloat16`` or ``float32``.
    """
    import torch

    device = _device()
    name = torch.cuda.get_device_name() if device.type == "cuda" else device.type
    return f"{name}, {'bfloat16' if _has_bfloat16(device) else 'float32'}"


def _device() -> torch.device:
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _has_bfloat16(device: torch.device) -> bool:
    import torch

    if device.type == "cuda":
        # Emulated, it is slower than float32.
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # There is no public way to ask.
    return bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001 - see above


def _network(plan: NetworkPlan, rng: np.random.Generator) -> torch.nn.Sequential:
    """Return a network with weights drawn from `rng` alone: torch's own source is shared."""
    import torch

    layers: list[torch.nn.Module] = []
    pairs = list(itertools.pairwise(plan.channels))
    for number, (n_in, n_out) in enumerate(pairs):
        convolution = torch.nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        _draw_weights(convolution.weight, 9 * n_in, rng)
        layers += [convolution, torch.nn.BatchNorm2d(n_out), torch.nn.ReLU(inplace=True)]
        if number < len(pairs) - 1:
            layers.append(torch.nn.MaxPool2d(2))
    head = torch.nn.Linear(plan.n_features, plan.n_categories)
    _draw_weights(head.weight, plan.n_features, rng)
    torch.nn.init.zeros_(head.bias)
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), head)


def _draw_weights(weight: torch.Tensor, n_in: int, rng: np.random.Generator) -> None:
    """Draw weights so that a rectifier keeps the variance.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun (2015), Delving deep into rectifiers, International Conference
    on Computer Vision.
    """
    import torch

    drawn = rng.standard_normal(tuple(weight.shape), dtype=np.float32) * np.float32(
        (2 / n_in) ** 0.5
    )
    with torch.no_grad():
        weight.copy_(torch.from_numpy(drawn))


def _folded(network: torch.nn.Sequential) -> Iterator[Layer]:
    import torch

    modules = list(network.cpu())
    for module, after in itertools.pairwise(modules):
        if not isinstance(module, torch.nn.Conv2d) or not isinstance(after, torch.nn.BatchNorm2d):
            continue
        mean, variance = after.running_mean, after.running_var
        if mean is None or variance is None:
            raise TypeError("the normalization keeps no running statistics")
        factor = after.weight.detach() / (variance + after.eps).sqrt()
        yield Layer(
            (module.weight.detach() * factor[:, None, None, None]).contiguous().numpy(),
            (after.bias.detach() - mean * factor).numpy(),
        )
