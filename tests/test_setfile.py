"""Sets as data: names, hashes, and refusals that point at the line."""

import csv
import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from dsfx.catalogue import functional
from dsfx.errors import ConfigError
from dsfx.setfile import read_set, standard_sets
from dsfx.tomllines import key_lines

TABLES = Path(__file__).resolve().parents[2] / "shared" / "spec" / "tables"
FILES = {
    "ComParE_2016": "compare_2016",
    "eGeMAPSv02": "egemaps_v02",
    "eGeMAPSv01b": "egemaps_v01b",
    "GeMAPSv01b": "gemaps_v01b",
}


def text_of(name):
    return (resources.files("dsfx.baselines") / f"{name}.toml").read_text(encoding="utf-8")


def published(name, level):
    with (TABLES / f"{FILES[name]}_{level}.csv").open(encoding="utf-8") as file:
        return [row["name"] for row in csv.DictReader(file)]


def test_the_standard_sets():
    assert standard_sets() == sorted(FILES)
    for name in FILES:
        spec = read_set(name)
        assert (spec.name, spec.standard) == (name, True)
        assert len(spec.hash) == 16


@pytest.mark.skipif(not TABLES.is_dir(), reason=f"needs the tables in {TABLES}")
@pytest.mark.parametrize("name", FILES)
def test_names_and_order(name):
    spec = read_set(name)
    assert [n for group in spec.functionals for n in group.names] == published(name, "functionals")
    assert [n for group in spec.lld for n in spec.group(group).names()] == published(name, "lld")
    deltas = [n for group in spec.lld if spec.group(group).delta != "none" for n in spec.group(group).names(True)]
    assert deltas == (published(name, "lld_delta") if name == "ComParE_2016" else [])


@pytest.fixture
def variant(tmp_path):
    """Write a changed copy of a standard set and return its path."""

    def write(*changes, name="eGeMAPSv02"):
        text = text_of(name)
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_a_copy_is_the_standard_set(variant):
    """Comments, layout and documentation do not count; nor does how a number is written."""
    path = variant(
        ("# eGeMAPSv02", "# a copy of eGeMAPSv02"), ("references = ", "references  =  "), ("[1000, 5000]", "[1e3, 5e3]")
    )
    assert (read_set(path).name, read_set(path).standard) == ("eGeMAPSv02", True)
    assert read_set(path).hash == read_set("eGeMAPSv02").hash


def test_a_changed_set_says_so(variant):
    spec = read_set(variant(("hop = 0.010", "hop = 0.005")))
    assert not spec.standard
    assert spec.hash != read_set("eGeMAPSv02").hash
    assert spec.name == f"eGeMAPSv02~{spec.hash[:8]}"
    named = read_set(variant(('name = "eGeMAPSv02"', 'name = "mine"'), ("lag = 40", "lag = 41")))
    assert (named.name, named.standard) == ("mine", False)


def test_frame_and_hop():
    spec = read_set("ComParE_2016", frame=0.025, hop=0.005)
    assert (spec.short, spec.long, spec.hop, spec.standard) == (0.025, 0.06, 0.005, False)
    assert spec.name.startswith("ComParE_2016~")
    assert spec.hash != read_set("ComParE_2016", frame=0.025).hash
    same = read_set("ComParE_2016", frame=0.02, hop=0.01)
    assert (same.name, same.standard) == ("ComParE_2016", True)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('smoothing = "plain"', 'smothing = "plain"', "missing key 'smoothing', expected one of 'plain'"),
        ('suffix = "_sma3"', 'sufix = "_sma3"', "unknown key 'sufix', expected one of columns, delta"),
        ('smoothing = "plain"', 'smoothing = "gauss"', "smoothing = 'gauss', expected one of 'plain', 'nonzero'"),
        ("hop = 0.010", "hop = -1", "hop = -1, expected a number from 0.0001 to 10"),
        ("hop = 0.010", 'hop = "10 ms"', "hop = '10 ms', expected a number"),
        ("short = 0.020", "short = 0.1", "short frames of 0.1 s are longer than the long ones of 0.06 s"),
        ("hop = 0.010", "hop = 0.07", "leaves gaps between the long frames"),
        ('kind = "loudness"', 'kind = "loudnes"', "kind = 'loudnes', expected one of 'rms'"),
        ("bands = [[0, 500]", "bands = [[500, 0]", "expected a list of bands"),
        ('kind = "mfcc", first = 1, last = 4', 'kind = "mfcc", first = 5, last = 4', "first is greater than last"),
        ('"mfcc{}" =', '"mfcc" =', "name 'mfcc' of a mfcc, expected {} once"),
        ("range = [55, 1000]", "range = [1000, 55]", "expected two frequencies"),
        ("lag = 40", "lag = 4.5", "lag = 4.5, expected a whole number from 2"),
        ('"spectralFlux", "mfcc{}"]', '"spectralFlux", "mfcc9"]', "no descriptor 'mfcc9', expected one of Loudness"),
        ('contours = ["F0"]', 'contours = ["F1"]', "no contours 'F1', expected one of spectrum table"),
        ('contours = ["F0"]', 'contours = ["F0.delta"]', "no contours 'F0.delta'"),
        ('"amean", "stddevNorm", "percentile20.0"', '"mean", "stddevNorm", "percentile20.0"', "no functional 'mean'"),
        ('"pctlrange0-2"', '"pctlrange0-7"', "needs percentile 7 of this group (counted from 0), which has 3"),
        ("peaks = { threshold = 0.1 }", "", "'meanRisingSlope' needs parameters, expected peaks = { threshold = 0.1 }"),
        ("peaks = { threshold = 0.1 }", "peaks = { treshold = 0.1 }", "missing key 'threshold'"),
        ('names = ["loudnessPeaksPerSec"]', "names = []", "names = [], expected a list that is not empty"),
        ('names = ["loudnessPeaksPerSec"]', 'names = ["a", "b"]', "2 names, expected 1: 1 contours × 1 functionals"),
        ('names = ["loudnessPeaksPerSec"]', 'names = ["loudness_sma3_amean"]', "a second time"),
        ('frames = "nonzero"', 'frames = "voiced"', "frames = 'voiced', expected one of 'all', 'nonzero'"),
        ('name = "voiced"', 'name = "voice"', "a second group of contours named 'voice'"),
        ('as = "slopeV{}"', 'as = "slopeV"', "expected {} in both or in neither"),
        ('by = "nonzero runs"', 'by = "runs"', "by = 'runs', expected one of 'levels'"),
        ("formants = [1, 2, 3]", "formants = [1, 2, 9]", "expected a list of formant numbers from 1 to 3"),
        ('[lld]\ncontours = ["spectrum table"', '[lld]\ncontours = ["spectrum"', "no contours 'spectrum'"),
    ],
)
def test_refusals_name_the_line(variant, old, new, complaint):
    path = variant((old, new))
    with pytest.raises(ConfigError) as error:
        read_set(path)
    message = str(error.value)
    assert complaint in message
    assert "\n" not in message
    number = int(re.search(r" line (\d+):", message)[1])
    changed = text_of("eGeMAPSv02").split(old)[0].count("\n") + 1
    # The line itself, or that of the table it belongs to when a key is missing.
    assert abs(number - changed) <= 8 or "missing" in message or "range" in message, (number, changed, message)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name = ", "not valid TOML"),
        ('name = "x"\n', "line 1: missing key 'frames'"),
        ('name = "x"\nframes = 3\n', "line 2: frames = 3, expected a table"),
        ('name = ""\n', "line 1: name = '', expected the name of the set"),
        ('name = "x"\nextra = 1\n[frames]\nshort = 0.02\nlong = 0.06\nhop = 0.01\n', "line 2: unknown key 'extra'"),
    ],
)
def test_broken_files(tmp_path, text, complaint):
    path = tmp_path / "broken.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        read_set(str(path))
    with pytest.raises(ConfigError) as error:
        read_set(str(path))
    assert complaint in str(error.value)


def test_no_such_set(tmp_path):
    with pytest.raises(ConfigError, match="no feature set 'eGeMAPS', expected one of ComParE_2016, GeMAPSv01b"):
        read_set("eGeMAPS")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_set(str(tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match="frame is 0, expected a positive duration"):
        read_set("eGeMAPSv02", frame=0)
    with pytest.raises(ConfigError, match="hop is nan"):
        read_set("eGeMAPSv02", hop=float("nan"))
    with pytest.raises(ConfigError, match="longer than the long ones"):
        read_set("eGeMAPSv02", frame=0.1)


def test_lines_of_keys():
    text = (
        'a = 1  # [no]\n\n[b]\n"c.d" = [1,\n  2, { e = "]\\"", f = [[3]] },\n]\n[[g]]\nh.i = """x\n[z]\n"""\n'
        "[g.k]\nl = 'a#b' # c\n[[g]]\nm = 2026-01-01\n"
    )
    tomllib.loads(text)
    lines = key_lines(text)
    assert lines[("a",)] == 1
    assert lines[("b",)] == 3
    assert lines[("b", "c.d")] == 4
    assert lines[("b", "c.d", 1)] == 5
    assert lines[("b", "c.d", 2, "f", 0, 0)] == 5
    assert lines[("g", 0, "h", "i")] == 8
    assert lines[("g", 0, "k", "l")] == 12
    assert lines[("g", 1, "m")] == 14


@pytest.mark.parametrize("name", FILES)
def test_every_key_has_its_line(name):
    def walk(value, path):
        assert path in lines, path
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(entry, (dict, list)):
                walk(entry, (*path, key))
            else:
                assert (*path, key) in lines

    lines = key_lines(text_of(name))
    walk(tomllib.loads(text_of(name)), ())


def test_functionals_by_name():
    assert functional("percentile20.0").value == 0.2
    assert functional("quartile3").value == 0.75
    assert functional("iqr1-3").pair == (1, 3)
    for name in ("percentile", "percentile120", "quartile4", "iqr3-1", "lpc", "upleveltime", "max", ""):
        assert functional(name) is None
