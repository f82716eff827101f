"""Functionals: a contour of any length in, a few numbers out. One module per family."""
