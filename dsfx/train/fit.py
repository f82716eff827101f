"""The training loop: spectrograms and labels in, a trained network out."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import ConfigError, OutputError
from ..files import whole
from ..frontend import FrontEnd
from .augment import Augmentation
from .network import Layers, Network

__all__ = ["HEADS", "Epoch", "Fitted", "Material", "Recipe", "among", "begin_with", "fit", "infer"]

Rows = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained: AdamW on a one-cycle schedule, label smoothing, classes weighted alike.

    Parameters
    ----------
    epochs : passes over the clips.
    batch : clips per step, of similar length.
    learning_rate : its peak.
    weight_decay : of weights, not of biases and norms.
    smoothing : share of a clip's target that is spread over all classes of its corpus.
    dropout : of the features, the recurrent branch's input and the dense layer.
    clips_per_epoch : clips drawn for an epoch; 0: as many as there are.
    balance : 0 draws every clip alike, 1 every class of every corpus alike, whatever their sizes.
    mixup : parameter of the beta distribution that mixes pairs of clips (Zhang et al. 2018); 0: none.
    auxiliary : weight of the regression of hand-crafted functionals; 0: none.
    average : share of the last epochs whose weights are averaged (Izmailov et al. 2018); 0: none.
    patience : epochs without a better result on held-out speakers after which training ends; 0: never.
    augmentation : changes of the spectrograms.
    """

    epochs: int = 50
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    smoothing: float = 0.1
    dropout: float = 0.3
    clips_per_epoch: int = 0
    balance: float = 0.0
    mixup: float = 0.4
    auxiliary: float = 3.0
    average: float = 0.3
    patience: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        for name, lowest in (("epochs", 1), ("batch", 2), ("clips_per_epoch", 0), ("patience", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
                raise ConfigError(f"training: {name} is {value!r}, expected a whole number from {lowest}")
        for name, highest in _RANGES.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= highest:
                raise ConfigError(f"training: {name} is {value!r}, expected 0 to {highest:g}")
        if self.learning_rate == 0:
            raise ConfigError("training: learning_rate is 0, expected more")

    def to_table(self) -> dict[str, Any]:
        """The parameters as tables of a model.toml."""
        return asdict(self)


_RANGES = {
    "learning_rate": 1.0,
    "weight_decay": 10.0,
    "smoothing": 0.9,
    "dropout": 0.9,
    "balance": 1.0,
    "mixup": 10.0,
    "auxiliary": 1000.0,
    "average": 1.0,
}


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a network is trained or judged on.

    Attributes
    ----------
    rows : log power (frames, bands) of each clip, not normalised; any sequence.
    targets : (clips,) numbers of the classes, of all corpora united.
    corpora : (clips,) numbers of the corpora.
    allowed : (corpora, classes) the classes of a corpus: the posteriors of its clips are over these alone.
    auxiliary : (clips, n) standardised targets of the regression, or None.
    """

    rows: Sequence[Rows]
    targets: NDArray[np.int64]
    corpora: NDArray[np.int64]
    allowed: NDArray[np.bool_]
    auxiliary: Rows | None = None


@dataclass(frozen=True)
class Epoch:
    """What an epoch was like.

    Attributes
    ----------
    number : from 1.
    loss, right : mean loss, and share of clips recognised, of augmented training clips.
    held_out : UA on clips held out, each corpus on its own classes, mean over corpora; None without such.
    seconds : it took.
    """

    number: int
    loss: float
    right: float
    held_out: float | None
    seconds: float


@dataclass(frozen=True)
class Fitted:
    """A trained network.

    Attributes
    ----------
    network : in evaluation mode, on the CPU.
    history : all epochs.
    best : number of the epoch after which these were the weights: the last, or the best on held-out clips.
    """

    network: Network
    history: list[Epoch]
    best: int


def fit(
    material: Material,
    *,
    front_end: FrontEnd,
    layers: Layers,
    recipe: Recipe,
    seed: int,
    start: Mapping[str, NDArray[Any]] | None = None,
    held_out: Material | None = None,
    device: str = "cpu",
    checkpoint: Path | None = None,
    report: Callable[[Epoch], None] | None = None,
) -> Fitted:
    """Train a network.

    The same arguments give the same weights on the same machine with the same number of threads, whether or not the
    training was interrupted in between: every epoch draws from generators of its own.

    Parameters
    ----------
    material : to learn from.
    front_end, layers, recipe, seed : as their names say.
    start : weights to begin with, all but the `HEADS`, which depend on classes and targets. None begins
        at random.
    held_out : clips after whose UA the best epoch is chosen, and training ends (`Recipe.patience`).
    device : of torch. In bfloat16 where the device multiplies it in hardware.
    checkpoint : file that is written after every epoch; where it exists, training goes on from it. It must belong to
        the same arguments.
    report : called after each epoch, also those read from a checkpoint.

    Raises
    ------
    ConfigError : the loss is not finite; `start` is of a network of other sizes.
    OutputError : the checkpoint cannot be written.
    """
    torch.manual_seed(seed)
    auxiliary = material.auxiliary if recipe.auxiliary else None
    n_auxiliary = 0 if auxiliary is None else auxiliary.shape[1]
    network = Network(
        front_end.n_bands, material.allowed.shape[1], layers, dropout=recipe.dropout, n_auxiliary=n_auxiliary
    )
    mean, deviation = moments(front_end, material.rows)
    network.shift.copy_(torch.from_numpy(mean))
    network.scale.copy_(torch.from_numpy(1 / deviation))
    if start is not None:
        begin_with(network, start)
    network = network.to(device).to(memory_format=torch.channels_last)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
    )
    drawn = recipe.clips_per_epoch or len(material.targets)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        recipe.learning_rate,
        # With fewer steps the schedule has no room for a rise and a fall.
        total_steps=max(8, recipe.epochs * -(-drawn // recipe.batch)),
        pct_start=0.25,
    )
    chances, weights = balanced(material, recipe.balance)
    history: list[Epoch] = []
    average: dict[str, Tensor] = {}
    best: dict[str, Tensor] = {}
    if checkpoint is not None and checkpoint.is_file():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        average, best = state["average"], state["best"]
        history = [Epoch(*values) for values in state["history"]]
        for epoch in history:
            if report:
                report(epoch)

    def finished() -> bool:
        late = recipe.patience and len(history) - best_epoch(history) >= recipe.patience
        return len(history) >= recipe.epochs or bool(history and held_out and late)

    while not finished():
        began = time.monotonic()
        number = len(history) + 1
        rng = np.random.default_rng((seed, number))
        torch.manual_seed(int(rng.integers(1 << 62)))
        everything = chances is None and drawn == len(material.targets)
        chosen = np.arange(drawn) if everything else rng.choice(len(material.targets), drawn, p=chances)
        loss, right = one_epoch(
            network, material, chosen, weights, auxiliary, front_end, recipe, rng, optimiser, schedule
        )
        if not np.isfinite(loss):
            raise ConfigError(f"training: the loss is {loss} in epoch {number}; a lower learning_rate mends it")
        begun = recipe.epochs * (1 - recipe.average)
        if recipe.average and number > begun:
            blend(average, network.state_dict(), 1 / (number - int(begun)))
        score = None
        if held_out is not None:
            current = Network.like(network).to(device)
            current.load_state_dict(average or network.state_dict())
            score = score_of(current.eval(), held_out, front_end)
        history.append(Epoch(number, loss, right, score, time.monotonic() - began))
        if score is None or best_epoch(history) == number:
            best = copied(average or network.state_dict())
        if checkpoint is not None:
            state = {"network": network.state_dict(), "optimiser": optimiser.state_dict()}
            state |= {"schedule": schedule.state_dict(), "average": average, "best": best}
            state["history"] = [tuple(asdict(epoch).values()) for epoch in history]
            try:
                with whole(checkpoint) as handle:
                    torch.save(state, handle)
            except (OSError, RuntimeError) as error:
                reason = getattr(error, "strerror", None) or error
                raise OutputError(
                    f"{checkpoint}: the checkpoint cannot be written ({reason}); the one before is kept"
                ) from None
        if report:
            report(history[-1])
    network.load_state_dict(best)
    network = network.to("cpu").eval().to(memory_format=torch.contiguous_format)
    return Fitted(network, history, best_epoch(history))


HEADS = ("classify.", "regress.")
"""Layers that belong to the classes and the auxiliary targets of one training."""


def begin_with(network: Network, start: Mapping[str, NDArray[Any]]) -> None:
    """Put the weights of another training into a network."""
    state = network.state_dict()
    names = {name for name in state if not name.startswith(HEADS)}
    if names != set(start) or any(state[name].shape != start[name].shape for name in names):
        raise ConfigError(
            "--start: a network of other sizes; its own [layers] and [frontend] must be those of --config"
        )
    network.load_state_dict(state | {name: torch.from_numpy(np.array(start[name])) for name in names})


def one_epoch(
    network: Network,
    material: Material,
    chosen: NDArray[np.intp],
    weights: Rows,
    auxiliary: Rows | None,
    front_end: FrontEnd,
    recipe: Recipe,
    rng: np.random.Generator,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> tuple[float, float]:
    """Take the steps of one epoch; return the mean loss, NaN or infinite where it went astray, and the share right."""
    network.train()
    device = network.shift.device
    total, right = 0.0, 0
    changed = [recipe.augmentation(material.rows[i], rng) for i in chosen]
    for batch in batches(changed, recipe.batch, rng):
        # Few different shapes: torch prepares and keeps a kernel for each.
        spectrogram, lengths = pad([front_end.normalise(changed[i]) for i in batch], multiple=32)
        numbers = chosen[batch]
        partners = numbers
        share = 1.0
        if recipe.mixup:
            share = float(rng.beta(recipe.mixup, recipe.mixup))
            share = max(share, 1 - share)
            order = rng.permutation(len(batch))
            partners = numbers[order]
            spectrogram = share * spectrogram + (1 - share) * spectrogram[torch.from_numpy(order)]
        closed = torch.from_numpy(~material.allowed[material.corpora[numbers]]).to(device)
        # A partner of another corpus may have a class that this clip's corpus has not.
        mates = np.where(material.allowed[material.corpora[numbers], material.targets[partners]], partners, numbers)
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
            features, logits = network(spectrogram.to(device), lengths.to(device))[::2]
            regressed = None if auxiliary is None else network.regression(features).float()
        logits = logits.masked_fill(closed, -1e9)
        weight = torch.from_numpy(weights[numbers]).to(device)
        loss = torch.zeros((), device=device)
        for part, those in ((share, numbers), (1 - share, mates)):
            if part:
                wanted = torch.from_numpy(material.targets[those]).to(device)
                loss = loss + part * cross_entropy(logits, wanted, closed, weight, recipe.smoothing)
        if regressed is not None and auxiliary is not None:
            goal = share * auxiliary[numbers] + (1 - share) * auxiliary[partners]
            loss = loss + recipe.auxiliary * nn.functional.smooth_l1_loss(regressed, torch.from_numpy(goal).to(device))
        if not torch.isfinite(loss):
            return loss.item(), 0.0
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        total += loss.item() * len(batch)
        right += int((logits.argmax(dim=1).cpu().numpy() == material.targets[numbers]).sum())
    return total / len(chosen), right / len(chosen)


def cross_entropy(logits: Tensor, wanted: Tensor, closed: Tensor, weight: Tensor, smoothing: float) -> Tensor:
    """Weighted mean cross entropy, smoothed over the classes that are not `closed` (batch, classes)."""
    logs = torch.log_softmax(logits, dim=1)
    spread = logs.masked_fill(closed, 0.0).sum(dim=1) / (~closed).sum(dim=1)
    exact = logs.gather(1, wanted[:, None]).squeeze(1)
    return -(weight * ((1 - smoothing) * exact + smoothing * spread)).mean()


def balanced(material: Material, balance: float) -> tuple[NDArray[np.float64] | None, Rows]:
    """Chances (clips,) of being drawn, None for all alike, and weights (clips,) of the loss.

    The weights make up for what the draw leaves unequal among the classes of a corpus; their mean over the draw is one.
    """
    sizes = np.zeros(material.allowed.shape)
    np.add.at(sizes, (material.corpora, material.targets), 1.0)
    own = sizes[material.corpora, material.targets]
    chances = own**-balance
    chances /= chances.sum()
    drawn = np.zeros_like(sizes)
    np.add.at(drawn, (material.corpora, material.targets), chances)
    occupied = np.maximum((sizes > 0).sum(axis=1), 1)
    weights = (drawn.sum(axis=1) / occupied)[material.corpora] / drawn[material.corpora, material.targets]
    return (chances if balance else None), weights.astype(np.float32)


def blend(average: dict[str, Tensor], state: dict[str, Tensor], share: float) -> None:
    """Move the running average towards a state; the first state is taken as it is."""
    for key, value in state.items():
        if key not in average or not value.is_floating_point():
            average[key] = value.detach().clone()
        else:
            average[key] += share * (value.detach() - average[key])


def copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state that further steps do not change."""
    return {key: value.detach().clone() for key, value in state.items()}


def best_epoch(history: Sequence[Epoch]) -> int:
    """Number of the first epoch with the highest score on held-out clips; the last one without such; 0 of none."""
    if not history or history[-1].held_out is None:
        return len(history)
    scores = [epoch.held_out or 0.0 for epoch in history]
    return 1 + int(np.argmax(scores))


def among(posteriors: Rows, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The class (clips,) with the highest posterior among those that the clip's corpus has, `allowed` (clips, all)."""
    return np.where(allowed, posteriors, -1.0).argmax(axis=1)


def score_of(network: Network, material: Material, front_end: FrontEnd) -> float:
    """UA on `material`, each corpus on its own classes, mean over corpora."""
    posteriors = infer(network, material.rows, front_end)[1]
    right = among(posteriors, material.allowed[material.corpora]) == material.targets
    recalls: dict[int, list[float]] = {}
    for corpus, target in np.unique(np.stack([material.corpora, material.targets], axis=1), axis=0):
        own = (material.corpora == corpus) & (material.targets == target)
        recalls.setdefault(int(corpus), []).append(float(right[own].mean()))
    return float(np.mean([np.mean(values) for values in recalls.values()]))


def infer(network: Network, rows: Sequence[Rows], front_end: FrontEnd, batch: int = 32) -> tuple[Rows, Rows]:
    """Features (clips, width) and posteriors (clips, classes) of log power spectrograms."""
    device = network.shift.device
    features = np.empty((len(rows), network.layers.width), dtype=np.float32)
    posteriors = np.empty((len(rows), network.n_classes), dtype=np.float32)
    sizes = [len(rows[i]) for i in range(len(rows))]
    order = sorted(range(len(rows)), key=sizes.__getitem__)
    with torch.no_grad():
        for first in range(0, len(rows), batch):
            chosen = order[first : first + batch]
            spectrogram, lengths = pad([front_end.normalise(rows[i]) for i in chosen])
            found, _, logits = network(spectrogram.to(device), lengths.to(device))
            features[chosen] = found.cpu().numpy()
            posteriors[chosen] = torch.softmax(logits, dim=1).cpu().numpy()
    return features, posteriors


def pad(rows: Sequence[Rows], multiple: int = 1) -> tuple[Tensor, Tensor]:
    """One zero-padded batch (clips, longest, bands), its time a multiple of `multiple`, and the lengths."""
    lengths = np.array([len(item) for item in rows], dtype=np.int64)
    size = -(-int(lengths.max()) // multiple) * multiple
    out = np.zeros((len(rows), size, rows[0].shape[1]), dtype=np.float32)
    for place, item in zip(out, rows, strict=True):
        place[: len(item)] = item
    return torch.from_numpy(out), torch.from_numpy(lengths)


def batches(rows: Sequence[Rows], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Clips of similar length together, in random order; the lengths are blurred, so that no two epochs are alike."""
    blurred = np.array([len(item) for item in rows]) * np.exp(rng.normal(0, 0.1, size=len(rows)))
    order = np.argsort(blurred, kind="stable")
    # As equal in size as can be: batch norm does not like a last batch of one.
    parts = np.array_split(order, -(-len(rows) // size))
    for index in rng.permutation(len(parts)):
        yield parts[index]


def moments(front_end: FrontEnd, rows: Sequence[Rows]) -> tuple[Rows, Rows]:
    """Mean and deviation of each band over all frames of all clips, normalised."""
    frames = 0
    total = np.zeros(front_end.n_bands)
    squares = np.zeros(front_end.n_bands)
    for index in range(len(rows)):
        item = front_end.normalise(rows[index]).astype(np.float64)
        frames += len(item)
        total += item.sum(axis=0)
        squares += np.square(item).sum(axis=0)
    mean = total / frames
    variance = np.maximum(squares / frames - mean * mean, 1e-4)
    return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def has_bfloat16(device: torch.device | None = None) -> bool:
    """Whether a device (None: the processor) multiplies bfloat16 matrices in hardware; training is faster in them."""
    if device is not None and device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    check = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(check and check())
