import numpy as np
import pytest
import torch
from tiny import network

from dsfx.errors import ModelError
from dsfx.train.export import check, graph, reordered
from dsfx.train.fit import pad
from dsfx.train.network import BRANCHES, SHRINK, Layers, Network


def clips(lengths: list[int], bands: int = 24, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(-5, 3, size=(length, bands)).astype(np.float32) for length in lengths]


def session(content: bytes):
    import onnxruntime

    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("lengths", [[1], [4], [5], [1, 2, 3, 4, 5], [8, 1, 300], [17, 99, 100, 101, 37], [64] * 3])
def test_onnxruntime_agrees_with_torch_on_ragged_batches(lengths: list[int]) -> None:
    net = network()
    assert check(graph([net], producer="tests"), [net], clips(lengths)) <= 1e-5


@pytest.mark.parametrize("shrink", SHRINK)
@pytest.mark.parametrize("branches", BRANCHES)
def test_networks_of_the_default_size_agree(shrink: str, branches: str) -> None:
    torch.manual_seed(1)
    net = Network(80, 7, Layers(shrink=shrink, branches=branches)).eval()
    assert check(graph([net], producer="tests"), [net], clips([3, 50, 121, 400], bands=80)) <= 1e-5


def test_many_bands_take_longer_strides() -> None:
    torch.manual_seed(1)
    net = Network(513, 7, Layers(band_stride=8, kernels=((5, 17), (3, 3), (3, 3)))).eval()
    assert net.conv4.weight.shape[1] == 128 * 8
    assert check(graph([net], producer="tests"), [net], clips([3, 50, 121], bands=513)) <= 1e-5


def test_members_stand_side_by_side() -> None:
    nets = [network(seed=0), network(seed=1)]
    content = graph(nets, producer="tests")
    ragged = clips([1, 5, 33, 100])
    assert check(content, nets, ragged) <= 1e-5
    spectrogram, lengths = (tensor.numpy() for tensor in pad(ragged))
    both, *alone = (
        session(graph(some, producer="tests")).run(None, {"spectrogram": spectrogram, "lengths": lengths})
        for some in (nets, nets[:1], nets[1:])
    )
    np.testing.assert_array_equal(both[0], np.concatenate([alone[0][0], alone[1][0]], axis=1))
    for which in (1, 2):
        np.testing.assert_allclose(both[which], (alone[0][which] + alone[1][which]) / 2, atol=1e-7)


def test_features_do_not_depend_on_the_batch() -> None:
    run = session(graph([network()], producer="tests")).run
    spectrograms = clips([1, 2, 5, 33, 100, 256])
    spectrogram, lengths = (tensor.numpy() for tensor in pad(spectrograms))
    together = run(None, {"spectrogram": spectrogram, "lengths": lengths})
    # What lies in the padding does not matter either.
    for row, length in zip(spectrogram, lengths, strict=True):
        row[length:] = 1e4
    filled = run(None, {"spectrogram": spectrogram, "lengths": lengths})
    for first, second in zip(together, filled, strict=True):
        np.testing.assert_array_equal(first, second)
    for index, alone in enumerate(spectrograms):
        found = run(None, {"spectrogram": alone[None], "lengths": np.array([len(alone)])})
        for name, one, all_ in zip(("features", "attention", "posteriors"), found, together, strict=True):
            expected = all_[index][: one.shape[1]]
            np.testing.assert_allclose(one[0], expected, rtol=0, atol=1e-6, err_msg=f"{name} of {len(alone)} frames")


def test_torch_does_not_look_at_the_padding() -> None:
    net = network()
    spectrogram, lengths = pad(clips([1, 2, 5, 33, 100]))
    with torch.no_grad():
        before = net(spectrogram, lengths)
        for row, length in zip(spectrogram, lengths, strict=True):
            row[length:] = -1e4
        after = net(spectrogram, lengths)
    for first, second in zip(before, after, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=1e-6)


def test_against_packed_sequences() -> None:
    """The reversed-copy trick is what torch's own bidirectional LSTM does with packed sequences."""
    net = network()
    own = torch.nn.LSTM(24 * 4, 7, batch_first=True, bidirectional=True)
    state = dict(net.forwards.state_dict())
    state.update({f"{key}_reverse": value for key, value in net.backwards.state_dict().items()})
    own.load_state_dict(state)
    steps = torch.tensor([9, 1, 4])
    x = torch.randn(3, 9, 24 * 4)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, steps, batch_first=True, enforce_sorted=False)
    expected = torch.nn.utils.rnn.pad_packed_sequence(own(packed)[0], batch_first=True)[0]
    valid = (torch.arange(9) < steps[:, None]).float()
    with torch.no_grad():
        scores = net.score(torch.tanh(net.attend(expected))).squeeze(2).masked_fill(valid == 0, -torch.inf)
        weights = torch.softmax(scores, dim=1)
        pooled, attention = net._recurrent(x.reshape(3, 36, 24), steps, valid)
    torch.testing.assert_close(attention, weights, rtol=0, atol=1e-6)
    torch.testing.assert_close(pooled, (weights[:, :, None] * expected).sum(dim=1), rtol=0, atol=1e-6)


def test_attention_is_a_distribution_over_the_clip() -> None:
    run = session(graph([network()], producer="tests")).run
    spectrogram, lengths = pad(clips([5, 40]))
    attention = run(["attention"], {"spectrogram": spectrogram.numpy(), "lengths": lengths.numpy()})[0]
    assert attention.shape == (2, 10)
    np.testing.assert_allclose(attention.sum(axis=1), 1, atol=1e-6)
    assert (attention[0, 2:] == 0).all()


def test_gate_order() -> None:
    assert reordered(np.arange(8.0)).tolist() == [0, 1, 6, 7, 2, 3, 4, 5]


def test_a_graph_of_other_weights_is_noticed() -> None:
    with pytest.raises(ModelError, match=r"differs from torch by .* expected at most 1e-05"):
        check(graph([network(seed=0)], producer="tests"), [network(seed=1)], clips([20, 30]))


def test_same_weights_same_bytes() -> None:
    assert graph([network()], producer="tests") == graph([network()], producer="tests")
