import numpy as np
from numba import njit

from dsfx.lld.wide import wide


def test_it_asks_for_whole_registers_and_changes_nothing():
    def add(x, y, out):
        for i in range(len(out)):
            out[i] = x[i] * y[i] + x[i]

    @njit(error_model="numpy")
    def wide_add(x, y, out):
        wide()
        for i in range(len(out)):
            out[i] = x[i] * y[i] + x[i]

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 1000)).astype(np.float32)
    got, expected = np.empty((2, 1000), np.float32)
    wide_add(x, y, got)
    njit(error_model="numpy")(add)(x, y, expected)
    assert np.array_equal(got, expected)
    (code,) = wide_add.inspect_llvm().values()
    assert '"prefer-vector-width"="512"' in code
