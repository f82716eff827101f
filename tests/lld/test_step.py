import numpy as np

from dsfx.lld.step import Step

prepared = []


def _double(x, out):
    out[:] = 2 * x


@Step
def double(x, *, out=None):
    """Twice as much."""
    prepared.append(len(x))
    return _double, x, np.empty_like(x) if out is None else out


def test_a_step_is_a_function():
    assert np.array_equal(double(np.arange(3.0)), [0, 2, 4])
    assert double.__doc__ == "Twice as much."
    assert double.__name__ == "double"


def test_a_bound_step_reads_what_is_there_then_and_prepares_once():
    x, out = np.zeros(3), np.empty(3)
    prepared.clear()
    bound = double.bind(x, out=out)
    for value in (1, 5):
        x[:] = value
        bound()
        assert np.array_equal(out, np.full(3, 2 * value))
    assert prepared == [3]
