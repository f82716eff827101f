"""The hand-crafted feature sets as data: one TOML file per set."""
