"""Label tables: corpora at hand compared, the others on small trees with the published layout and naming."""

import csv
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner

from dsfx.cli import cli
from dsfx.corpora import CORPORA, RULES
from dsfx.errors import ConfigError, DsfxError, InputError, OutputError
from dsfx.labels import KEYS, label
from dsfx.train.data import read_labels

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def tree(root: Path, files: Iterable[str]) -> Path:
    """Empty recordings: labels come from names."""
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("corpus", "count"), [("emodb", 535), ("ravdess", 1440)])
def test_real_corpora_get_the_labels_they_come_with(corpus, count, tmp_path):
    folder = DATA / corpus
    if not folder.exists():
        pytest.skip(f"needs real speech in {folder}")
    found = label(corpus, folder / "audio", tmp_path / "labels.csv")
    assert (found.left_out, found.notes) == ([], [])
    keys = ("speaker", "gender", "emotion", "language")
    expected = {Path(row["file"]).name: [row[key] for key in keys] for row in read(folder / "labels.csv")}
    got = {Path(row["file"]).name: [row[key] for key in keys] for row in read(tmp_path / "labels.csv")}
    assert len(got) == count
    assert got == expected
    assert (tmp_path / found.rows[0]["file"]).is_file()


EVALUATION = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
C-F1:\tNeutral;\t(curious)
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_M000\texc\t[4.5000, 4.0000, 2.5000]
C-E2:\tExcited;\t()

[14.8872 - 18.0175]\tSes01F_impro01_M001\txxx\t[2.5000, 2.5000, 2.0000]
"""

SCRIPTED = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[5.7400 - 11.0900]\tSes02M_script01_1b_F000\thap\t[4.0000, 3.5000, 3.0000]
[11.3000 - 12.0000]\tSes02M_script01_1b_M010\tfru\t[2.0000, 3.5000, 3.0000]
[12.3000 - 13.0000]\tSes02M_script01_1b_M011\tang\t[1.5000, 4.0000, 4.0000]
"""


def iemocap(root: Path, evaluation: bytes = EVALUATION.encode()) -> Path:
    tree(
        root,
        [
            "Session1/dialog/wav/Ses01F_impro01.wav",
            "Session1/dialog/EmoEvaluation/._Ses01F_impro01.txt",
            "Session1/dialog/EmoEvaluation/Categorical/Ses01F_impro01_e1_cat.txt",
            *(f"Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_{turn}.wav" for turn in ("F000", "M000", "M001")),
            *(
                f"Session2/sentences/wav/Ses02M_script01_1b/Ses02M_script01_1b_{t}.wav"
                for t in ("F000", "M010", "M011")
            ),
            "Session2/dialog/EmoEvaluation/Ses02M_script01_1b.txt",
        ],
    )
    (root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt").write_bytes(evaluation)
    (root / "Session2/dialog/EmoEvaluation/Ses02M_script01_1b.txt").write_text(SCRIPTED, newline="\n")
    return root


# corpus, a recording as published, the row it should get
PUBLISHED = [
    ("emodb", "wav/16b10Wb.wav", "16 f anger sentence=b10 take=b language=de"),
    ("emodb", "wav/10a05Tb.FLAC", "10 m sadness sentence=a05 take=b language=de"),
    ("emodb", "wav/14a07La.wav", "14 f boredom sentence=a07 take=a language=de"),
    (
        "ravdess",
        "Actor_12/03-01-06-01-02-01-12.wav",
        "12 f fear intensity=normal sentence=dogs take=01 channel=speech language=en",
    ),
    (
        "ravdess",
        "Audio_Song_Actors_01-24/Actor_23/03-02-02-02-01-02-23.wav",
        "23 m calm intensity=strong sentence=kids take=02 channel=song language=en",
    ),
    ("cremad", "AudioWAV/1001_DFA_ANG_XX.wav", "1001 - anger intensity=unspecified sentence=DFA language=en"),
    ("cremad", "AudioWAV/1040_ITH_SAD_X.wav", "1040 - sadness intensity=unspecified sentence=ITH language=en"),
    ("cremad", "AudioMP3/1091_IEO_HAP_LO.mp3", "1091 - happiness intensity=low sentence=IEO language=en"),
    ("savee", "AudioData/JK/sa01.wav", "JK m sadness sentence=sa01 language=en"),
    ("savee", "ALL/DC_su15.wav", "DC m surprise sentence=su15 language=en"),
    ("savee", "KL_n30.wav", "KL m neutral sentence=n30 language=en"),
    ("tess", "OAF_angry/OAF_back_angry.wav", "OAF f anger sentence=back language=en"),
    ("tess", "YAF_pleasant_surprised/YAF_dog_ps.wav", "YAF f surprise sentence=dog language=en"),
    ("tess", "OAF_neutral/OA_bite_neutral.wav", "OAF f neutral sentence=bite language=en"),
    ("emovo", "f2/gio-f2-l4.wav", "f2 f happiness sentence=l4 language=it"),
    ("emovo", "m3/rab-m3-n5.wav", "m3 m anger sentence=n5 language=it"),
]


@pytest.mark.parametrize(("corpus", "file", "expected"), PUBLISHED)
def test_published_names(corpus, file, expected, tmp_path):
    tree(tmp_path / "corpus", [file])
    (row,) = label(corpus, tmp_path / "corpus", tmp_path / "labels.csv").rows
    assert row["file"] == f"corpus/{file}"
    speaker, gender, emotion, *others = expected.split()
    assert (row["speaker"], row.get("gender", "-"), row["emotion"]) == (speaker, gender, emotion)
    assert [f"{name}={value}" for name, value in row.items() if name not in KEYS] == others


def test_every_corpus_is_tested_and_explained():
    assert {corpus for corpus, *_ in PUBLISHED} | {"iemocap"} == set(CORPORA)
    text = CliRunner().invoke(cli, ["labels", "--help"]).output
    for name in [*CORPORA, *RULES]:
        assert f"\n  {name} " in text


def test_demographics_give_gender_and_age(tmp_path):
    root = tree(tmp_path / "CREMA-D", ["AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1002_IEO_FEA_HI.wav"])
    demographics = root / "VideoDemographics.csv"
    demographics.write_bytes(
        b"ActorID,Age,Sex,Race,Ethnicity\r\n1001,51,Male,Caucasian,Not Hispanic\r\n1002,21,Female,Caucasian,x\r\n"
    )
    for folder in (root, root / "AudioWAV"):
        found = label("cremad", folder, tmp_path / "labels.csv")
        assert [(row["gender"], row["age"], row["intensity"]) for row in found.rows] == [
            ("m", "51", "unspecified"),
            ("f", "21", "high"),
        ]
        assert found.notes == []
    demographics.write_bytes(b"ActorID,Age\n")
    with pytest.raises(
        InputError, match=r"VideoDemographics.csv: expected the columns ActorID, Age, Sex, found ActorID, Age"
    ):
        label("cremad", root, tmp_path / "labels.csv")
    demographics.write_bytes("ActorID,Age,Sex\n1001,51,Männlich\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"VideoDemographics.csv: not text in UTF-8; expected the columns ActorID"):
        label("cremad", root, tmp_path / "labels.csv")
    demographics.unlink()
    found = label("cremad", root, tmp_path / "labels.csv")
    assert "gender" not in found.columns
    assert found.notes == ["no columns gender and age: there is no VideoDemographics.csv in the folder or next to it"]


@pytest.mark.parametrize(
    "evaluation",
    [
        EVALUATION.encode(),
        EVALUATION.replace("\n", "\r\n").encode(),
        EVALUATION.replace("curious", "é").encode("latin-1"),
    ],
    ids=["as published", "Windows line ends", "remarks in another encoding"],
)
def test_iemocap(evaluation, tmp_path):
    found = label("iemocap", iemocap(tmp_path / "IEMOCAP_full_release", evaluation), tmp_path / "labels.csv")
    assert (found.left_out, found.notes) == ([], [])
    assert found.columns == [*KEYS, *CORPORA["iemocap"].columns]
    assert [tuple(row.values())[1:] for row in found.rows] == [
        ("Ses01F", "f", "neutral", "1", "improvised", "Ses01F_impro01", "2.5000", "2.5000", "2.5000", "en"),
        ("Ses01M", "m", "excitement", "1", "improvised", "Ses01F_impro01", "4.5000", "4.0000", "2.5000", "en"),
        ("Ses01M", "m", "undecided", "1", "improvised", "Ses01F_impro01", "2.5000", "2.5000", "2.0000", "en"),
        ("Ses02F", "f", "happiness", "2", "scripted", "Ses02M_script01_1b", "4.0000", "3.5000", "3.0000", "en"),
        ("Ses02M", "m", "frustration", "2", "scripted", "Ses02M_script01_1b", "2.0000", "3.5000", "3.0000", "en"),
        ("Ses02M", "m", "anger", "2", "scripted", "Ses02M_script01_1b", "1.5000", "4.0000", "4.0000", "en"),
    ]
    four = label("iemocap", tmp_path / "IEMOCAP_full_release", tmp_path / "labels.csv", classes=4)
    assert [row["emotion"] for row in four.rows] == ["neutral", "happiness", "happiness", "anger"]


def test_iemocap_whose_annotations_are_missing_or_damaged(tmp_path):
    root = iemocap(tmp_path / "iemocap")
    with pytest.raises(
        InputError, match=r"no evaluation files \(SessionN/dialog/EmoEvaluation/\*\.txt\); expected the"
    ):
        label("iemocap", root / "Session1/sentences/wav", tmp_path / "labels.csv")
    for damaged, message in [
        (EVALUATION.encode("utf-16"), r"Ses01F_impro01\.txt: names no turn, expected lines such as"),
        (
            EVALUATION.replace("neu\t", "neu ?").encode(),
            r"Ses01F_impro01\.txt, line 3: expected a turn such as .*, found",
        ),
        (EVALUATION.replace("\tneu", "\tabc").encode(), r"Ses01F_impro01\.txt, line 3: expected a turn"),
        (
            (EVALUATION + EVALUATION.replace("neu", "sad")).encode(),
            r"line 14: Ses01F_impro01_F000 has another label elsewhere",
        ),
    ]:
        iemocap(root, damaged)
        with pytest.raises(InputError, match=message):
            label("iemocap", root, tmp_path / "labels.csv")
    (root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt").unlink()
    (root / "Session2/sentences/wav/Ses02M_script01_1b/Ses02M_script01_1b_M010.wav").unlink()
    found = label("iemocap", root, tmp_path / "labels.csv")
    assert len(found.rows) == 2
    assert [why for _, why in found.left_out] == [
        *3 * ["no evaluation file names it"],
        "evaluated, but its recording is missing",
    ]


def test_folders(tmp_path):
    root = tree(
        tmp_path / "c", ["s1/anger/10.wav", "s1/anger/9.wav", "s2/joy/1.flac", "stray.wav", "s1/anger/notes.txt"]
    )
    found = label("folders", root, tmp_path / "labels.csv")
    assert [(row["file"], row["emotion"]) for row in found.rows] == [
        ("c/s1/anger/9.wav", "anger"),
        ("c/s1/anger/10.wav", "anger"),
        ("c/s2/joy/1.flac", "joy"),
    ]
    assert found.left_out == [("stray.wav", "lies in no folder of a class")]
    assert any("no column speaker" in note for note in found.notes)
    for speaker in (r"^s\d", r"(s\d)/", r"^(?P<who>\w+)"):
        found = label("folders", root, tmp_path / "labels.csv", speaker=speaker)
        assert [row["speaker"] for row in found.rows] == ["s1", "s1", "s2"]
    assert found.columns == ["file", "speaker", "emotion"]
    found = label("folders", root, tmp_path / "labels.csv", speaker="(s1)")
    assert ("s2/joy/1.flac", "--speaker (s1) finds no speaker in it") in found.left_out


def test_a_pattern_of_ones_own(tmp_path):
    root = tree(tmp_path / "c", ["x/amy_angry_2.wav", "y/bob_sad.wav", "y/README.wav"])
    pattern = r"(?P<room>\w+)/(?P<speaker>[a-z]+)_(?P<emotion>[a-z]+)(?:_(?P<take>\d))?\."
    found = label(
        "pattern", root, tmp_path / "labels.csv", pattern=pattern, rename={"angry": "anger", "sad": "sadness"}
    )
    assert found.rows == [
        {"file": "c/x/amy_angry_2.wav", "speaker": "amy", "emotion": "anger", "room": "x", "take": "2"},
        {"file": "c/y/bob_sad.wav", "speaker": "bob", "emotion": "sadness", "room": "y", "take": ""},
    ]
    assert found.left_out == [("y/README.wav", "does not match")]
    assert read(tmp_path / "labels.csv") == found.rows


def test_the_table_is_what_training_takes(tmp_path):
    tree(tmp_path / "corpora/emodb", ["03a01Fa.wav", "03a01Wa.flac"])
    (tmp_path / "tables").mkdir()
    label("emodb", tmp_path / "corpora/emodb", tmp_path / "tables/labels.csv")
    rows = read_labels(tmp_path / "tables/labels.csv")
    assert [row["file"] for row in rows] == ["../corpora/emodb/03a01Fa.wav", "../corpora/emodb/03a01Wa.flac"]
    assert all((tmp_path / "tables" / row["file"]).is_file() for row in rows)


def test_paths_hold_where_the_table_lies_behind_a_link(tmp_path):
    tree(tmp_path / "emodb", ["03a01Fa.wav"])
    (tmp_path / "far/away").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far/away")
    (row,) = label("emodb", tmp_path / "emodb", tmp_path / "link/labels.csv").rows
    assert (tmp_path / "link" / row["file"]).is_file()


def test_a_recording_that_is_there_twice_stands_there_once(tmp_path):
    name = "1001_DFA_ANG_XX"
    tree(tmp_path / "c", [f"AudioMP3/{name}.mp3", f"AudioWAV/{name}.wav", f"AudioWAV/old/{name}.wav"])
    found = label("cremad", tmp_path / "c", tmp_path / "labels.csv")
    assert [row["file"] for row in found.rows] == [f"c/AudioWAV/{name}.wav"]
    assert f"2 recordings are copies of others and left out, AudioMP3/{name}.mp3 first" in found.notes
    assert not found.left_out


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"corpus": "emo-db"}, ConfigError, r"CORPUS emo-db: no such corpus; there are emodb, .*, pattern"),
        ({"folder": "nowhere"}, InputError, r"nowhere: no such folder; expected the one with the recordings of emodb"),
        ({"folder": "empty"}, InputError, r"empty: holds no recordings; expected names such as 03a01Fa.wav"),
        (
            {"corpus": "emovo"},
            InputError,
            r"none of 2 recordings fits emovo, expected names such as dis-f1-b1.wav; 03a",
        ),
        (
            {"strict": True},
            InputError,
            r"1 of 2 .* first: has no known emotion \(X\); without --strict they are left out",
        ),
        ({"output": "labels.xlsx"}, ConfigError, r"-o labels.xlsx: expected a name that ends in .csv"),
        (
            {"output": "emodb/03a01Fa.wav/l.csv"},
            OutputError,
            r"-o .*l.csv: emodb/03a01Fa.wav is a file, expected a folder",
        ),
        ({"corpus": "pattern"}, ConfigError, r"pattern: needs --pattern, such as"),
        ({"corpus": "pattern", "pattern": "("}, ConfigError, r"--pattern \(: not a regular expression \(missing \)"),
        ({"corpus": "pattern", "pattern": r"\w+"}, ConfigError, r"--pattern \\w\+: has no named group, such as"),
        ({"corpus": "pattern", "pattern": r"(?P<end>\w)"}, ConfigError, r"the column end has a meaning of its own"),
        ({"pattern": "x"}, ConfigError, r"--pattern goes with the corpus `pattern`, not with emodb"),
        ({"speaker": "x"}, ConfigError, r"--speaker goes with the corpus `folders`, not with emodb"),
        ({"corpus": "folders", "speaker": "["}, ConfigError, r"--speaker \[: not a regular expression"),
        ({"classes": 4}, ConfigError, r"--classes 4: emodb has no such subset; there are those of iemocap \(4\)"),
        ({"rename": {"joy": "x"}}, ConfigError, r"--rename joy: no recording has this emotion; there are happiness"),
    ],
)
def test_what_cannot_be_is_one_clear_line(change, error, message, tmp_path, monkeypatch):
    tree(tmp_path / "emodb", ["03a01Fa.wav", "03a01Xa.wav"])
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message) as caught:
        label(**({"corpus": "emodb", "folder": "emodb", "output": "labels.csv"} | change))
    assert isinstance(caught.value, DsfxError)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.csv"))


def test_the_folder_of_the_table_is_made(tmp_path):
    tree(tmp_path / "emodb", ["03a01Fa.wav"])
    (row,) = label("emodb", tmp_path / "emodb", tmp_path / "new" / "one" / "labels.csv").rows
    assert row["file"] == "../../emodb/03a01Fa.wav"
    assert [path.name for path in (tmp_path / "new" / "one").iterdir()] == ["labels.csv"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_name_that_no_table_can_hold(tmp_path):
    tree(tmp_path / "emodb", ["03a01Fa.wav"])
    (Path(os.fsdecode(os.fsencode(tmp_path / "emodb") + b"/\xff"))).mkdir()
    (Path(os.fsdecode(os.fsencode(tmp_path / "emodb") + b"/\xff/03a01Wa.wav"))).touch()
    found = label("emodb", tmp_path / "emodb", tmp_path / "labels.csv")
    assert found.left_out == [("\\xff/03a01Wa.wav", "its name is not UTF-8")]


@pytest.mark.parametrize(
    ("files", "arguments", "status", "message"),
    [
        (["03a01Fa.wav", "08a01Na.wav"], [], 0, "labels.csv: 2 recordings, 2 speakers; happiness 1, neutral 1\n"),
        (["03a01Fa.wav"], ["--rename", "happiness=joy"], 0, "labels.csv: 1 recordings, 1 speakers; joy 1\n"),
        (
            ["03a01Fa.wav", "x.wav"],
            [],
            1,
            "1 of 2 recordings do not fit (names such as 03a01Fa.wav), x.wav first: does",
        ),
        (["03a01Fa.wav", "x.wav"], ["--strict"], 2, "dsfx: 1 of 2 recordings do not fit"),
        (["03a01Fa.wav"], ["--rename", "joy"], 2, "joy: expected OLD=NEW, such as calm=neutral"),
    ],
)
def test_exit_statuses(files, arguments, status, message, tmp_path, monkeypatch, capsys):
    from dsfx.cli import main

    tree(tmp_path / "emodb", files)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["dsfx", "labels", "emodb", "emodb", "-o", "labels.csv", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code in ((status, None) if status == 0 else (status,))
    assert message in capsys.readouterr().err
