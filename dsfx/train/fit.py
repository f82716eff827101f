"""The training loop: spectrograms and labels in, a trained network out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import ConfigError
from ..frontend import FrontEnd
from .augment import Augmentation
from .network import Layers, Network

__all__ = ["Recipe", "fit", "infer"]

Rows = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained: AdamW on a one-cycle schedule, with label smoothing and class weights.

    Parameters
    ----------
    epochs : passes over the clips; there is no early stopping.
    batch : clips per step, of similar length.
    learning_rate : its peak.
    weight_decay, smoothing, dropout : as usual.
    augmentation : changes of the spectrograms.
    """

    epochs: int = 40
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    smoothing: float = 0.1
    dropout: float = 0.3
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ConfigError(f"training: {self.epochs} epochs, expected at least 1")
        if self.batch < 2:
            raise ConfigError(f"training: batches of {self.batch}, expected at least 2 clips")

    def to_table(self) -> dict[str, Any]:
        """The parameters as tables of a model.toml."""
        return asdict(self)


def fit(
    rows: Sequence[Rows],
    targets: NDArray[np.int64],
    n_classes: int,
    *,
    front_end: FrontEnd,
    layers: Layers,
    recipe: Recipe,
    seed: int,
    report: Callable[[int, float, float], None] | None = None,
) -> Network:
    """Train a network on log power spectrograms (not normalised) and class numbers.

    The same arguments give the same weights on the same machine with the same number of threads. `report` is called
    after each epoch with its number, the mean loss and the share of clips recognised (augmented ones).
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    network = Network(front_end.n_bands, n_classes, layers, dropout=recipe.dropout)
    mean, deviation = moments([front_end.normalise(item) for item in rows])
    network.shift.copy_(torch.from_numpy(mean))
    network.scale.copy_(torch.from_numpy(1 / deviation))
    network = network.to(memory_format=torch.channels_last)
    counts = np.bincount(targets, minlength=n_classes)
    weights = torch.from_numpy((counts.mean() / np.maximum(counts, 1)).astype(np.float32))
    criterion = torch.nn.CrossEntropyLoss(weight=weights, label_smoothing=recipe.smoothing)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
    )
    steps = -(-len(rows) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.epochs * steps, pct_start=0.25
    )
    network.train()
    for epoch in range(recipe.epochs):
        total, right = 0.0, 0
        changed = [recipe.augmentation(item, rng) for item in rows]
        for batch in batches(changed, recipe.batch, rng):
            # Few different shapes: torch prepares and keeps a kernel for each.
            spectrogram, lengths = pad([front_end.normalise(changed[i]) for i in batch], multiple=32)
            wanted = torch.from_numpy(targets[batch])
            with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
                logits = network(spectrogram, lengths)[2]
            loss = criterion(logits, wanted)
            if not torch.isfinite(loss):
                raise ConfigError(
                    f"training: the loss is {loss.item()} in epoch {epoch + 1}; a lower learning rate helps"
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            total += loss.item() * len(batch)
            right += int((logits.argmax(dim=1) == wanted).sum())
        if report:
            report(epoch + 1, total / len(rows), right / len(rows))
    return network.eval().to(memory_format=torch.contiguous_format)


def infer(network: Network, rows: Sequence[Rows], front_end: FrontEnd, batch: int = 32) -> tuple[Rows, Rows]:
    """Features (clips, n_features) and posteriors (clips, classes) of log power spectrograms."""
    features = np.empty((len(rows), network.layers.n_features), dtype=np.float32)
    posteriors = np.empty((len(rows), network.n_classes), dtype=np.float32)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    with torch.no_grad():
        for first in range(0, len(rows), batch):
            chosen = order[first : first + batch]
            found, _, logits = network(*pad([front_end.normalise(rows[i]) for i in chosen]))
            features[chosen] = found.numpy()
            posteriors[chosen] = torch.softmax(logits, dim=1).numpy()
    return features, posteriors


def pad(rows: Sequence[Rows], multiple: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """One zero-padded batch (clips, longest, bands), its time a multiple of `multiple`, and the lengths."""
    lengths = np.array([len(item) for item in rows], dtype=np.int64)
    size = -(-int(lengths.max()) // multiple) * multiple
    out = np.zeros((len(rows), size, rows[0].shape[1]), dtype=np.float32)
    for place, item in zip(out, rows, strict=True):
        place[: len(item)] = item
    return torch.from_numpy(out), torch.from_numpy(lengths)


def batches(rows: Sequence[Rows], size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Clips of similar length together, in random order; the lengths are blurred, so that no two epochs are alike."""
    blurred = np.array([len(item) for item in rows]) * np.exp(rng.normal(0, 0.1, size=len(rows)))
    order = np.argsort(blurred, kind="stable")
    count = -(-len(rows) // size)
    # As equal in size as can be: batch norm does not like a last batch of one.
    parts = np.array_split(order, count)
    for index in rng.permutation(count):
        yield [int(i) for i in parts[index]]


def moments(rows: Sequence[Rows]) -> tuple[Rows, Rows]:
    """Mean and deviation of each band over all frames of all clips."""
    frames = sum(len(item) for item in rows)
    mean = sum(item.sum(axis=0, dtype=np.float64) for item in rows) / frames
    variance = sum(np.square(item - mean).sum(axis=0) for item in rows) / frames
    return mean.astype(np.float32), np.sqrt(np.maximum(variance, 1e-4)).astype(np.float32)


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 matrices in hardware, where training in them is faster."""
    check = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(check and check())
