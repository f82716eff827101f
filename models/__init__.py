"""The catalogue of trained extractors as data: one folder per model."""
