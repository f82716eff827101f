"""The network as an ONNX graph, written operator by operator.

The exporters of torch fail on sequences of varying length; an explicit graph is short, and says what it computes.
Batch norm is folded into the convolutions. Batch and time are dynamic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ..errors import ModelError
from .network import EPSILON, STRIDE, Ensemble, Network

__all__ = ["check", "graph"]

OPSET = 17
IR_VERSION = 8
"""Old enough for every onnxruntime that is supported."""


class _Graph:
    """Nodes and weights, added one call at a time."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=dtype), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64), np.int64)

    def __call__(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        output = name or f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def number(self, truth: str, *axes: int) -> str:
        cast = self("Cast", truth, to=TensorProto.FLOAT)
        return self("Unsqueeze", cast, self.ints(*axes)) if axes else cast


def graph(members: Sequence[Network], beside: Sequence[Network] = (), *, producer: str) -> bytes:
    """The serialised ONNX model of trained networks, side by side as in `Ensemble`.

    Inputs: ``spectrogram`` (batch, time, bands) float32, ``lengths`` (batch) int64, in frames and at least 1.
    Outputs: ``features`` (batch, n_features), ``attention`` (batch, steps of `STRIDE` frames), ``posteriors``
    (batch, classes), all float32.
    """
    bands, n_classes = members[0].n_bands, members[0].n_classes
    g = _Graph()
    zero, one, two, stride = (g.constant(n, np.int64) for n in (0, 1, 2, STRIDE))

    # Time is filled up to whole steps, and the padding of the batch is set to zero.
    whole = g("Add", g("Shape", "spectrogram", start=1, end=2), g.constant(STRIDE - 1, np.int64))
    size = g("Div", whole, stride)
    frames = g("Mul", size, stride)
    x = g("Pad", "spectrogram", g.ints(0, 0, 0, 0, STRIDE - 1, 0))
    x = g("Slice", x, g.ints(0), frames, g.ints(1))

    def inside(lengths: str, size: str) -> str:
        positions = g("Range", zero, g("Squeeze", size, g.ints(0)), one)
        return g("Less", positions, g("Unsqueeze", lengths, g.ints(1)))

    steps = g("Div", g("Add", "lengths", g.constant(STRIDE - 1, np.int64)), stride)
    masks = _Masks(
        frames=g.number(inside("lengths", frames), 2),
        half=g.number(inside(g("Mul", steps, two), g("Mul", size, two)), 1, 3),
        steps=inside(steps, size),
    )
    features, attention, posteriors = [], [], []
    for number, network in enumerate((*members, *beside)):
        state = {key: value.detach().double().numpy() for key, value in network.state_dict().items()}
        own, weights = _features(g, network, state, x, steps, masks)
        features.append(own)
        if number < len(members):
            attention.append(weights)
            posteriors.append(_posteriors(g, state, own))
    g("Concat", *features, axis=1, name="features")
    g("Mean", *attention, name="attention")
    g("Mean", *posteriors, name="posteriors")

    inputs = [
        helper.make_tensor_value_info("spectrogram", TensorProto.FLOAT, ["batch", "time", bands]),
        helper.make_tensor_value_info("lengths", TensorProto.INT64, ["batch"]),
    ]
    width = sum(network.layers.width for network in (*members, *beside))
    outputs = [
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", width]),
        helper.make_tensor_value_info("attention", TensorProto.FLOAT, ["batch", "steps"]),
        helper.make_tensor_value_info("posteriors", TensorProto.FLOAT, ["batch", n_classes]),
    ]
    model = helper.make_model(
        helper.make_graph(g.nodes, "dsfx", inputs, outputs, g.weights),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name=producer,
    )
    onnx.checker.check_model(model, full_check=True)
    serialised: bytes = model.SerializeToString()
    return serialised


@dataclass(frozen=True)
class _Masks:
    """What of a batch lies inside its clips: frames (batch, time, 1) and half as many (batch, 1, time, 1) as numbers,
    steps (batch, time) as truth."""

    frames: str
    half: str
    steps: str


State = dict[str, NDArray[np.float64]]


def _posteriors(g: _Graph, state: State, features: str) -> str:
    """Add the dense layers of one network."""
    hidden = g("Gemm", features, g.constant(state["dense.weight"]), g.constant(state["dense.bias"]), transB=1)
    weight, bias = g.constant(state["classify.weight"]), g.constant(state["classify.bias"])
    return g("Softmax", g("Gemm", g("Relu", hidden), weight, bias, transB=1), axis=1)


def _features(g: _Graph, network: Network, state: State, x: str, steps: str, masks: _Masks) -> tuple[str, str]:
    """Add one network up to its features, and its attention, of the filled-up spectrogram `x`."""
    layers = network.layers
    x = g("Mul", g("Sub", x, g.constant(state["shift"])), g.constant(state["scale"]))
    x = g("Mul", x, masks.frames)

    def convolve(x: str, index: int, **attributes: Any) -> str:
        weight, norm = state[f"conv{index}.weight"], f"norm{index}."
        gain = state[norm + "weight"] / np.sqrt(state[norm + "running_var"] + getattr(network, f"norm{index}").eps)
        bias = state[norm + "bias"] - state[norm + "running_mean"] * gain
        weight = weight * gain.reshape(-1, *[1] * (weight.ndim - 1))
        around = [size // 2 for size in weight.shape[2:]]
        return g("Relu", g("Conv", x, g.constant(weight), g.constant(bias), pads=around * 2, **attributes))

    valid_rows = g.number(masks.steps, 1)
    count = g("Cast", g("Unsqueeze", steps, g.ints(1)), to=TensorProto.FLOAT)
    parts = []
    if layers.convolutional:
        (first, _), (second, second_size), (third, third_size) = layers.shrinking

        def largest(y: str, size: tuple[int, int]) -> str:
            return y if size == (1, 1) else g("MaxPool", y, kernel_shape=size, strides=size)

        y = g("Unsqueeze", x, g.ints(1))
        y = g("Mul", convolve(y, 1, strides=first), masks.half)
        y = g("Mul", largest(convolve(y, 2, strides=second), second_size), g.number(masks.steps, 1, 3))
        y = largest(convolve(y, 3, strides=third), third_size)
        y = g("Transpose", y, perm=[0, 1, 3, 2])
        y = g("Mul", g("Reshape", y, g.ints(0, state["conv4.weight"].shape[1], -1)), valid_rows)
        y = g("Mul", convolve(y, 4), valid_rows)
        mean = g("Div", g("ReduceSum", y, g.ints(2), keepdims=0), count)
        centred = g("Mul", g("Sub", y, g("Unsqueeze", mean, g.ints(2))), valid_rows)
        variance = g("Div", g("ReduceSum", g("Mul", centred, centred), g.ints(2), keepdims=0), count)
        deviation = g("Sqrt", g("Add", variance, g.constant(EPSILON)))

        parts += [mean, deviation]
    if layers.recurrent:
        x = g("Transpose", g("Reshape", x, g.ints(0, -1, network.n_bands * STRIDE)), perm=[1, 0, 2])
        weights = [
            g.constant(np.stack([reordered(state[f"{way}.{kind}"]) for way in ("forwards", "backwards")]))
            for kind in ("weight_ih_l0", "weight_hh_l0")
        ]
        biases = [
            np.concatenate([reordered(state[f"{way}.bias_ih_l0"]), reordered(state[f"{way}.bias_hh_l0"])])
            for way in ("forwards", "backwards")
        ]
        h = g(
            "LSTM",
            x,
            *weights,
            g.constant(np.stack(biases)),
            g("Cast", steps, to=TensorProto.INT32),
            direction="bidirectional",
            hidden_size=layers.units,
        )
        h = g("Reshape", g("Transpose", h, perm=[2, 0, 1, 3]), g.ints(0, -1, 2 * layers.units))
        scores = g("MatMul", h, g.constant(state["attend.weight"].T))
        scores = g("Tanh", g("Add", scores, g.constant(state["attend.bias"])))
        scores = g("Squeeze", g("MatMul", scores, g.constant(state["score.weight"].T)), g.ints(2))
        scores = g("Where", masks.steps, scores, g.constant(-1e9))
        attention = g("Softmax", scores, axis=1)
        attended = g("Squeeze", g("MatMul", g("Unsqueeze", attention, g.ints(1)), h), g.ints(1))
        parts.append(attended)
    else:
        attention = g("Div", g.number(masks.steps), count)
    return g("Concat", *parts, axis=1), attention


def reordered(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gates of an LSTM (axis 0) from torch's order, input forget cell output, to ONNX's, input output forget cell."""
    i, f, c, o = np.split(weight, 4)
    return np.concatenate([i, o, f, c])


def check(
    serialised: bytes,
    members: Sequence[Network],
    spectrograms: Sequence[NDArray[np.float32]],
    beside: Sequence[Network] = (),
    *,
    tolerance: float = 1e-5,
) -> float:
    """The largest difference between onnxruntime and torch over a ragged batch, in features, attention, posteriors.

    Raises
    ------
    ModelError : it is above `tolerance`.
    """
    import onnxruntime

    from .fit import pad

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(serialised, options, providers=["CPUExecutionProvider"])
    spectrogram, lengths = pad(spectrograms)
    found = session.run(None, {"spectrogram": spectrogram.numpy(), "lengths": lengths.numpy()})
    with torch.no_grad():
        expected = Ensemble(members, beside).eval()(spectrogram, lengths)
    worst = max(float(np.abs(a - b.numpy()).max()) for a, b in zip(found, expected, strict=True))
    if not worst <= tolerance:
        raise ModelError(f"the ONNX graph differs from torch by {worst:.2g}, expected at most {tolerance:g}")
    return worst
