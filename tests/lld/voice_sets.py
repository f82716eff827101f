"""Two trackers with all descriptors, with the parameters of the field's two sets."""

from dsfx.lld.long import Tracker

GEMAPS = Tracker(
    want=frozenset(
        {
            "F0semitoneFrom27.5Hz",
            "jitterLocal",
            "shimmerLocaldB",
            "HNRdBACF",
            "logRelF0-H1-H2",
            "logRelF0-H1-A3",
            *(f"F{j}{what}" for j in (1, 2, 3) for what in ("frequency", "bandwidth", "amplitudeLogRelF0")),
        }
    ),
    f0_range=(55, 1000),
    path_window=40,
    period_search=0.10,
)
COMPARE = Tracker(
    want=frozenset({"F0final", "voicingFinalUnclipped", "jitterLocal", "jitterDDP", "shimmerLocal", "logHNR"}),
    f0_range=(52, 620),
    path_window=30,
    period_search=0.25,
)
