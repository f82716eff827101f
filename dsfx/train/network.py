"""The network in torch, after Zhao et al. 2018: two branches read one spectrogram, their pooled outputs are features.

* Convolutional branch: three 2-D blocks, whose strides or maxima shrink time and bands, and one 1-D block over all
  bands (convolution, batch norm, ReLU); mean and deviation over time.
* Recurrent branch: frames stacked by four, a bidirectional LSTM, softmax attention over its steps.

The concatenation of both is the deep spectrum features; two dense layers give the class posteriors. Everything is
masked by the clips' lengths, so a clip's features do not depend on what it is batched with.

The paper's layer sizes are not known; these were chosen by experiment.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError

__all__ = ["BRANCHES", "SHRINK", "STRIDE", "Ensemble", "Layers", "Network"]

SHRINK = {
    "strides": (((2, 2), (1, 1)), ((2, 2), (1, 1)), ((1, 2), (1, 2))),
    "maxima": (((2, 2), (1, 1)), ((1, 1), (2, 2)), ((1, 1), (1, 4))),
}
"""Strides of the three 2-D convolutions, and the sizes of the maxima after them, along frames and bands."""
STRIDE = 4
"""Frames per step of both branches' outputs."""
BRANCHES = ("both", "convolutional", "recurrent")

EPSILON = 1e-5
"""Added to the variance before its square root."""


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Sizes of the network.

    Parameters
    ----------
    members : networks that are trained from seeds of their own: the features are those of all, side by side, and the
        posteriors their mean.
    branches : one of `BRANCHES`.
    shrink : one of `SHRINK`: by strides alone, or mostly by maxima, at twice the cost.
    band_stride : of the first convolution, along bands: more than two where there are many, such as the bins of a long
        FFT; its kernel should be wider then.
    channels, kernels : of the three 2-D convolutions; kernels are (frames, bands), odd.
    filters : of the 1-D convolution; the branch gives twice as many features.
    units : of the LSTM, per direction; the branch gives twice as many features.
    attention : width of the attention layer.
    dense : width of the dense layer between features and posteriors.
    """

    members: int = 2
    branches: str = "both"
    shrink: str = "strides"
    band_stride: int = 2
    channels: tuple[int, int, int] = (32, 64, 128)
    kernels: tuple[tuple[int, int], ...] = ((5, 5), (3, 3), (3, 3))
    filters: int = 128
    units: int = 128
    attention: int = 64
    dense: int = 128

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "kernels", tuple(tuple(kernel) for kernel in self.kernels))
        if self.branches not in BRANCHES:
            raise ConfigError(f"layers: branches is {self.branches!r}, expected one of {', '.join(BRANCHES)}")
        if self.shrink not in SHRINK:
            raise ConfigError(f"layers: shrink is {self.shrink!r}, expected one of {', '.join(SHRINK)}")
        sizes = [*self.channels, self.filters, self.units, self.attention, self.dense]
        if len(self.channels) != 3 or not all(isinstance(size, int) and 1 <= size <= 8192 for size in sizes):
            raise ConfigError(f"layers: {asdict(self)}, expected three channels and every size in 1 to 8192")
        for name in ("members", "band_stride"):
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= 64:
                raise ConfigError(f"layers: {name} is {value!r}, expected 1 to 64")
        spans = [span for kernel in self.kernels for span in kernel]
        if [len(kernel) for kernel in self.kernels] != [2, 2, 2] or not all(span in range(1, 64, 2) for span in spans):
            raise ConfigError(f"layers: kernels are {self.kernels}, expected three pairs of odd numbers below 64")

    @property
    def shrinking(self) -> tuple[tuple[tuple[int, int], tuple[int, int]], ...]:
        """Of each 2-D convolution its stride, and the size of the maxima after it, along frames and bands."""
        first, *others = SHRINK[self.shrink]
        return ((first[0][0], self.band_stride), first[1]), *others

    @property
    def n_features(self) -> int:
        """Length of the feature vector, of all members."""
        return self.members * self.width

    @property
    def width(self) -> int:
        """Features of one member."""
        sizes = {"convolutional": 2 * self.filters, "recurrent": 2 * self.units}
        return sizes.get(self.branches, sum(sizes.values()))

    @property
    def convolutional(self) -> bool:
        """Whether there is the convolutional branch."""
        return self.branches != "recurrent"

    @property
    def recurrent(self) -> bool:
        """Whether there is the recurrent branch."""
        return self.branches != "convolutional"

    def to_table(self) -> dict[str, Any]:
        """The sizes as the ``[layers]`` table of a model.toml."""
        return {**asdict(self), "channels": list(self.channels), "kernels": [list(kernel) for kernel in self.kernels]}

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> "Layers":
        """The sizes of a ``[layers]`` table."""
        unknown = sorted(set(table) - {field.name for field in fields(cls)})
        if unknown:
            raise ConfigError(f"layers: unknown size {unknown[0]!r}")
        return cls(**table)


class Network(nn.Module):
    """One member: spectrograms (batch, time, bands) and their lengths in frames to features, attention and logits.

    Parameters
    ----------
    n_bands, n_classes : sizes of input and output.
    layers : sizes in between.
    dropout : of the features, the recurrent branch's input and the dense layer, in training only.
    n_auxiliary : what the features regress in training besides; it is no part of the exported graph.
    """

    def __init__(
        self, n_bands: int, n_classes: int, layers: Layers, *, dropout: float = 0.3, n_auxiliary: int = 0
    ) -> None:
        super().__init__()
        if n_bands < 16:
            raise ConfigError(f"network: {n_bands} bands, expected at least 16")
        self.n_bands = n_bands
        self.n_classes = n_classes
        self.layers = layers
        a, b, c = layers.channels
        self.register_buffer("shift", torch.zeros(n_bands))
        self.register_buffer("scale", torch.ones(n_bands))
        if layers.convolutional:
            first, second, third = layers.kernels
            strides = [stride for stride, _ in layers.shrinking]
            self.conv1 = nn.Conv2d(1, a, first, stride=strides[0], padding=padding(first), bias=False)
            self.norm1 = nn.BatchNorm2d(a)
            self.conv2 = nn.Conv2d(a, b, second, stride=strides[1], padding=padding(second), bias=False)
            self.norm2 = nn.BatchNorm2d(b)
            self.conv3 = nn.Conv2d(b, c, third, stride=strides[2], padding=padding(third), bias=False)
            self.norm3 = nn.BatchNorm2d(c)
            heights = n_bands
            for (_, stride), (_, size) in layers.shrinking:
                heights = -(-heights // stride) // size
            self.conv4 = nn.Conv1d(c * heights, layers.filters, 3, padding=1, bias=False)
            self.norm4 = nn.BatchNorm1d(layers.filters)
        if layers.recurrent:
            self.forwards = nn.LSTM(n_bands * STRIDE, layers.units, batch_first=True)
            self.backwards = nn.LSTM(n_bands * STRIDE, layers.units, batch_first=True)
            self.attend = nn.Linear(2 * layers.units, layers.attention)
            self.score = nn.Linear(layers.attention, 1, bias=False)
        self.dense = nn.Linear(layers.width, layers.dense)
        self.classify = nn.Linear(layers.dense, n_classes)
        self.dropout = nn.Dropout(dropout)
        self.regress = nn.Linear(layers.width, n_auxiliary) if n_auxiliary else None

    @classmethod
    def like(cls, other: "Network") -> "Network":
        """An untrained network of the same sizes."""
        n_auxiliary = 0 if other.regress is None else other.regress.out_features
        return cls(other.n_bands, other.n_classes, other.layers, dropout=other.dropout.p, n_auxiliary=n_auxiliary)

    def forward(self, spectrogram: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (batch, width), attention (batch, steps) and logits (batch, classes).

        Without the recurrent branch every step has the same attention.
        """
        extra = -spectrogram.shape[1] % STRIDE
        x = nn.functional.pad((spectrogram - self.shift) * self.scale, (0, 0, 0, extra))
        x = x * mask(lengths, x.shape[1])[:, :, None]
        # From here on a clip is as long as its steps: the last one may hold frames of zeros.
        steps = torch.div(lengths + STRIDE - 1, STRIDE, rounding_mode="floor")
        valid = mask(steps, x.shape[1] // STRIDE)
        parts = []
        attention = valid / valid.sum(dim=1, keepdim=True)
        if self.layers.convolutional:
            parts.append(self._convolutional(x, valid))
        if self.layers.recurrent:
            attended, attention = self._recurrent(x, steps, valid)
            parts.append(attended)
        features = torch.cat(parts, dim=1)
        hidden = torch.relu(self.dense(self.dropout(features)))
        return features, attention, self.classify(self.dropout(hidden)).float()

    def regression(self, features: Tensor) -> Tensor:
        """The auxiliary targets (batch, n_auxiliary) that features would have."""
        if self.regress is None:
            raise ConfigError("network: it has no auxiliary targets")
        found: Tensor = self.regress(features)
        return found

    def _convolutional(self, x: Tensor, valid: Tensor) -> Tensor:
        _, (_, second), (_, third) = self.layers.shrinking
        x = torch.relu(self.norm1(self.conv1(x[:, None])))
        x = x * valid.repeat_interleave(2, dim=1)[:, None, :, None].to(x.dtype)
        x = torch.relu(largest(self.norm2(self.conv2(x)), second))
        x = x * valid[:, None, :, None].to(x.dtype)
        x = torch.relu(largest(self.norm3(self.conv3(x)), third))
        x = x.permute(0, 1, 3, 2).flatten(1, 2) * valid[:, None].to(x.dtype)
        x = torch.relu(self.norm4(self.conv4(x))).float() * valid[:, None]
        count = valid.sum(dim=1, keepdim=True)
        mean = x.sum(dim=2) / count
        variance = ((x - mean[:, :, None]) * valid[:, None]).square().sum(dim=2) / count
        return torch.cat([mean, torch.sqrt(variance + EPSILON)], dim=1)

    def _recurrent(self, x: Tensor, steps: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        x = self.dropout(x.reshape(x.shape[0], -1, self.n_bands * STRIDE))
        # Reversed within its own length, the backward direction meets the padding last, as the forward one does: the
        # fast kernels work, which packed sequences do without, and the result is the same.
        order = torch.arange(x.shape[1], device=x.device)
        order = torch.where(order < steps[:, None], steps[:, None] - 1 - order, order)
        ahead = self.forwards(x)[0].float()
        back = reorder(self.backwards(reorder(x, order))[0].float(), order)
        h = torch.cat([ahead, back], dim=2)
        scores = self.score(torch.tanh(self.attend(h))).squeeze(2).float()
        attention = torch.softmax(scores.masked_fill(valid == 0, -1e9), dim=1)
        return (attention[:, :, None] * h).sum(dim=1), attention


class Ensemble(nn.Module):
    """Several trained networks as one: their features side by side, their attention and posteriors averaged.

    Parameters
    ----------
    members : networks that tell the same classes.
    beside : networks of which the features alone are wanted; theirs come last.
    """

    def __init__(self, members: Sequence[Network], beside: Sequence[Network] = ()) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.beside = nn.ModuleList(beside)

    def forward(self, spectrogram: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (batch, n_features), attention (batch, steps) and posteriors (batch, classes)."""
        features, attention, logits = zip(*(member(spectrogram, lengths) for member in self.members), strict=True)
        posteriors = torch.softmax(torch.stack(logits), dim=2).mean(dim=0)
        features += tuple(network(spectrogram, lengths)[0] for network in self.beside)
        return torch.cat(features, dim=1), torch.stack(attention).mean(dim=0), posteriors


def largest(x: Tensor, size: tuple[int, int]) -> Tensor:
    """The maxima over neighbours along the last two axes."""
    return x if size == (1, 1) else nn.functional.max_pool2d(x, size)


def padding(kernel: tuple[int, int]) -> tuple[int, int]:
    """Zeros on either side of frames and bands, such that a convolution keeps the size."""
    return kernel[0] // 2, kernel[1] // 2


def mask(lengths: Tensor, size: int) -> Tensor:
    """One where a position (lengths, size) lies inside its clip, else zero."""
    return (torch.arange(size, device=lengths.device) < lengths[:, None]).float()


def reorder(x: Tensor, order: Tensor) -> Tensor:
    """`x` (batch, steps, width) with each clip's steps in its own `order` (batch, steps)."""
    return x.gather(1, order[:, :, None].expand_as(x))
