"""Descriptions: every column of every set has one, and it says what misleads."""

import pytest

from dsfx.catalogue import DESCRIPTORS, FUNCTIONALS, REFERENCES
from dsfx.describe import ColumnDescription, SetDescription, describe, lines
from dsfx.errors import ConfigError
from dsfx.plan import Plan
from dsfx.setfile import read_set, standard_sets


@pytest.mark.parametrize("name", standard_sets())
def test_every_column_is_described(name):
    whole = describe(name)
    assert isinstance(whole, SetDescription)
    seen = 0
    for level, names in whole.columns.items():
        plan = Plan([read_set(name)], level)
        assert names == plan.names[0]
        units = dict(zip(names, plan.units[0], strict=True))
        for column in names[:: 1 if len(names) < 200 else 23]:
            found = describe(name, column)
            assert isinstance(found, ColumnDescription)
            assert (found.column, found.level, found.unit) == (column, level, units[column])
            assert found.descriptor
            assert found.frames
            assert any("part 0" in reference for reference in found.references)
            assert bool(found.functional) == (level == "functionals")
            text = "\n".join(lines(found))
            assert "{" not in text
            assert max(map(len, text.splitlines())) <= 100
            seen += 1
    assert seen >= 80


def beware(name, column):
    return " ".join(describe(name, column).traps)


def test_what_misleads_is_said():
    assert '"H1" is the second partial' in beware("eGeMAPSv02", "logRelF0-H1-H2_sma3nz_amean")
    assert "not a textbook formant" in beware("GeMAPSv01b", "F2frequency_sma3nz")
    assert "1/time" in beware("ComParE_2016", "jitterLocal_sma_de_stddev")
    assert "1/time" not in beware("ComParE_2016", "pcm_zcr_sma_de_stddev")
    assert "-201" in beware("eGeMAPSv02", "F1amplitudeLogRelF0_sma3nz_amean")
    assert "-100 where unvoiced" in beware("ComParE_2016", "logHNR_sma_amean")
    assert "minus one" in beware("eGeMAPSv02", "MeanVoicedSegmentLengthSec")
    assert "valley before each peak" in beware("ComParE_2016", "mfcc_sma[1]_peakDistStddev")
    assert "counts as a crossing" in beware("ComParE_2016", "pcm_zcr_sma")


def test_frames_and_parameters():
    first = describe("ComParE_2016", "audspec_lengthL1norm_sma_range")
    assert first.frames == "all long frames, but for the last 2"
    assert first.functional == "range: maximum minus minimum"
    assert describe("ComParE_2016", "mfcc_sma[2]_range").frames == "all short frames, but for the last 2"
    assert describe("ComParE_2016", "mfcc_sma[2]_amean").frames == "all long frames"
    assert describe("eGeMAPSv02", "loudness_sma3_amean").frames == "all short frames"
    pitch = describe("eGeMAPSv02", "F0semitoneFrom27.5Hz_sma3nz_amean")
    assert "decided before the end" in pitch.frames
    assert "exactly 0 are dropped" in pitch.frames
    assert pitch.parameters["F0"] == "55 to 1000 Hz, path decided at most 40 frames later"
    assert describe("ComParE_2016", "F0final_sma").parameters["F0"].startswith("52 to 620 Hz")
    runs = describe("eGeMAPSv02", "VoicedSegmentsPerSec").parameters["segments"]
    assert runs == "runs of at least 3 non-zero frames, ended by 2 others; the first 1000 count"
    percentile = describe("ComParE_2016", "mfcc_sma[1]_pctlrange0-1").functional
    assert percentile == "pctlrange0-1: 99 % percentile minus 1 % percentile"
    gated = describe("eGeMAPSv02", "alphaRatioUV_sma3nz_amean")
    assert gated.contour[0].startswith("gated: unvoiced frames only")
    assert "1000 to 5000 Hz" in gated.descriptor


def test_units():
    units = {
        "linregc1": "1/s",
        "qregc1": "1/s^2",
        "meanPeakDist": "s",
        "meanRisingSlope": "Hz / s",
        "lpgain": "(Hz)^2",
        "maxPos": "1",
        "quartile1": "Hz",
    }
    for name, unit in units.items():
        assert describe("ComParE_2016", f"pcm_fftMag_spectralCentroid_sma_{name}").unit == unit
    assert describe("ComParE_2016", "F0final_sma_linregc1").unit == "1/frame"
    assert describe("ComParE_2016", "F0final_sma_de_range").unit == "Hz per frame"


def test_a_changed_set_is_described_as_it_is(tmp_path):
    text = (
        'name = "mine"\n[frames]\nshort = 0.03\nlong = 0.06\nhop = 0.02\n[descriptors]\nc = { kind = "centroid" }\n'
        '[[contours]]\nname = "c"\ncolumns = ["c"]\nsmoothing = "none"\n[[functionals]]\ncontours = ["c"]\n'
        'frames = "all"\ncompute = ["linregc1"]\nregression = { slope_per = "second" }\n'
    )
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    found = describe(str(path), "c_linregc1")
    assert "30 ms Hamming-windowed" in found.descriptor
    assert found.parameters["frames"] == "30 ms every 20 ms"
    assert found.parameters["second"].startswith("50 frames")
    assert found.contour == ()
    assert "not a standard set" in "\n".join(lines(describe(str(path))))


def test_unknown_columns():
    with pytest.raises(ConfigError, match="did you mean loudness_sma3_amean"):
        describe("eGeMAPSv02", "loudness_sma_amean")
    with pytest.raises(ConfigError, match="has no column 'xyzzy'"):
        describe("eGeMAPSv02", "xyzzy")
    with pytest.raises(ConfigError, match="no feature set"):
        describe("GeMAPS")


def test_the_catalogue_is_whole():
    for kind, entry in DESCRIPTORS.items():
        assert entry.reference in REFERENCES, kind
        assert entry.section, kind
        assert entry.source in ("short", "long", "pitch", "late"), kind
    for name, entry in FUNCTIONALS.items():
        assert entry.section, name
