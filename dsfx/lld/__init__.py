"""Low-level descriptors: frames in, one row per frame out. One module per descriptor family."""
