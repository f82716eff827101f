"""A small model folder with random weights, for tests that need a model and not a good one."""

from hashlib import sha256
from pathlib import Path
from typing import Any

LABELS = ["high", "low", "noisy"]


def network(n_bands: int = 24, seed: int = 0) -> Any:
    """An untrained network whose every part does something: no zero biases, no unit scales."""
    import torch

    from dsfx.train.network import Layers, Network

    torch.manual_seed(seed)
    layers = Layers(members=1, channels=(4, 6, 8), filters=5, units=7, attention=6, dense=9)
    net = Network(n_bands, len(LABELS), layers)
    with torch.no_grad():
        net.shift.normal_(-5)
        net.scale.uniform_(0.2, 0.5)
        for module in net.modules():
            if hasattr(module, "running_mean"):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.2)
    return net.eval()


def tiny_model(folder: Path, *, seed: int = 0, max_seconds: float = 2.0, **changes: Any) -> Path:
    """Write the folder; `changes` go into the top level of its model.toml."""
    from dsfx.frontend import FrontEnd
    from dsfx.train.card import toml
    from dsfx.train.export import graph

    front_end = FrontEnd(sampling_rate=16000, n_mels=24, fft_length=512)
    net = network(front_end.n_bands, seed)
    content = graph([net], producer="tests")
    table: dict[str, Any] = {
        "format": 1,
        "name": folder.name,
        "description": "Random weights.",
        "licence": "Apache-2.0",
        "sha256": sha256(content).hexdigest(),
        "labels": LABELS,
        "dim": net.layers.n_features,
        "min_frames": 8,
        "max_seconds": max_seconds,
        "frontend": front_end.to_table(),
    }
    table.update(changes)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(content)
    (folder / "model.toml").write_text(toml({k: v for k, v in table.items() if v is not None}), encoding="utf-8")
    return folder
