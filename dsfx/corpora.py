"""Corpora of emotional speech as data: how each names its recordings, and what the codes in the names mean.

Nothing here reads a file: `dsfx.labels` does, and a further corpus is a further entry of `CORPORA`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

__all__ = ["CORPORA", "RULES", "Corpus"]

Codes = Mapping[str, str]
"""Codes as they stand in file names, in lower case, and what they mean."""

_NONE: Mapping[str, Codes] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus, as its publication describes it.

    Attributes
    ----------
    title : what the corpus is called.
    example : a recording's name.
    pattern : regular expression for the end of a path without its ending; its named groups become columns.
    codes : for the columns that hold codes: what these mean. A code that is not there does not fit.
    derived : columns that follow from another one, as (the other one, its values).
    constants : columns with one value.
    speaker : the speaker's name, made of groups, where the pattern has no group of this name.
    columns : of the table, after file, speaker, gender and emotion.
    annotations : what else has to be read: ``demographics`` (VideoDemographics.csv, may be missing) or
        ``evaluations`` (the files of the folders EmoEvaluation).
    ignored : regular expression for paths that belong to the corpus but are no clips.
    subsets : by number of classes: the classes of a customary subset, and their names there.
    """

    title: str
    example: str
    pattern: str
    columns: tuple[str, ...]
    constants: Codes
    codes: Mapping[str, Codes] = field(default_factory=lambda: _NONE)
    derived: Mapping[str, tuple[str, Codes]] = field(default_factory=lambda: MappingProxyType({}))
    speaker: str = ""
    annotations: Literal["demographics", "evaluations"] | None = None
    ignored: str = ""
    subsets: Mapping[int, Codes] = field(default_factory=lambda: MappingProxyType({}))


def _same(*names: str) -> Codes:
    """Codes that mean themselves, whatever their case in a file name."""
    return {name.lower(): name for name in names}


CORPORA: Mapping[str, Corpus] = {
    # Burkhardt et al. 2005, A Database of German Emotional Speech.
    "emodb": Corpus(
        title="Berlin Database of Emotional Speech (German)",
        example="03a01Fa.wav",
        pattern=r"(?P<speaker>\d\d)(?P<sentence>[ab]\d\d)(?P<emotion>[a-z])(?P<take>[a-z])",
        codes={
            "emotion": {
                "w": "anger",  # Wut
                "l": "boredom",  # Langeweile
                "e": "disgust",  # Ekel
                "a": "fear",  # Angst
                "f": "happiness",  # Freude
                "t": "sadness",  # Trauer
                "n": "neutral",
            }
        },
        derived={
            "gender": (
                "speaker",
                dict.fromkeys(("03", "10", "11", "12", "15"), "m") | dict.fromkeys(("08", "09", "13", "14", "16"), "f"),
            )
        },
        constants={"language": "de"},
        columns=("sentence", "take", "language"),
    ),
    # Livingstone & Russo 2018, The Ryerson Audio-Visual Database of Emotional Speech and Song.
    "ravdess": Corpus(
        title="Ryerson Audio-Visual Database of Emotional Speech and Song (English)",
        example="03-01-06-01-02-01-12.wav",
        # The first part says whether there is a picture: the sound is the same.
        pattern=r"0[13]-(?P<channel>\d\d)-(?P<emotion>\d\d)-(?P<intensity>\d\d)-(?P<sentence>\d\d)-"
        r"(?P<take>\d\d)-(?P<speaker>\d\d)",
        codes={
            "channel": {"01": "speech", "02": "song"},
            "emotion": {
                "01": "neutral",
                "02": "calm",
                "03": "happiness",
                "04": "sadness",
                "05": "anger",
                "06": "fear",
                "07": "disgust",
                "08": "surprise",
            },
            "intensity": {"01": "normal", "02": "strong"},
            "sentence": {"01": "kids", "02": "dogs"},
        },
        derived={"gender": ("speaker", {f"{n:02d}": "fm"[n % 2] for n in range(1, 25)})},
        constants={"language": "en"},
        columns=("intensity", "sentence", "take", "channel", "language"),
    ),
    # Cao et al. 2014, CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset.
    "cremad": Corpus(
        title="Crowd-sourced Emotional Multimodal Actors Dataset, CREMA-D (English)",
        example="1001_DFA_ANG_XX.wav",
        # One published name, 1040_ITH_SAD_X, has one X only.
        pattern=r"(?P<speaker>1\d{3})_(?P<sentence>[a-z]{3})_(?P<emotion>[a-z]{3})_(?P<intensity>LO|MD|HI|XX?)",
        codes={
            "sentence": _same("IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI"),
            "emotion": {
                "ang": "anger",
                "dis": "disgust",
                "fea": "fear",
                "hap": "happiness",
                "neu": "neutral",
                "sad": "sadness",
            },
            "intensity": {"lo": "low", "md": "medium", "hi": "high", "xx": "unspecified", "x": "unspecified"},
        },
        constants={"language": "en"},
        columns=("age", "intensity", "sentence", "language"),
        annotations="demographics",
    ),
    # Jackson & Haq 2014, Surrey Audio-Visual Expressed Emotion (SAVEE) Database.
    "savee": Corpus(
        title="Surrey Audio-Visual Expressed Emotion Database, SAVEE (English)",
        example="DC_a01.wav or DC/a01.wav",
        pattern=r"(?P<speaker>DC|JE|JK|KL)[/_](?P<sentence>(?P<emotion>[a-z]{1,2})\d\d)",
        codes={
            "speaker": _same("DC", "JE", "JK", "KL"),
            "emotion": {
                "a": "anger",
                "d": "disgust",
                "f": "fear",
                "h": "happiness",
                "n": "neutral",
                "sa": "sadness",
                "su": "surprise",
            },
        },
        constants={"gender": "m", "language": "en"},
        columns=("sentence", "language"),
    ),
    # Pichora-Fuller & Dupuis 2020, Toronto emotional speech set (TESS).
    "tess": Corpus(
        title="Toronto emotional speech set, TESS (English)",
        example="OAF_back_angry.wav",
        # One published name, OA_bite_neutral, has no F.
        pattern=r"(?P<speaker>OAF?|YAF)_(?P<sentence>[a-z]+)_(?P<emotion>[a-z]+)",
        codes={
            "speaker": {"oaf": "OAF", "oa": "OAF", "yaf": "YAF"},
            "emotion": {
                "angry": "anger",
                "disgust": "disgust",
                "fear": "fear",
                "happy": "happiness",
                "neutral": "neutral",
                "ps": "surprise",  # pleasant surprise
                "sad": "sadness",
            },
        },
        constants={"gender": "f", "language": "en"},
        columns=("sentence", "language"),
    ),
    # Costantini et al. 2014, EMOVO Corpus: an Italian Emotional Speech Database.
    "emovo": Corpus(
        title="EMOVO (Italian)",
        example="dis-f1-b1.wav",
        pattern=r"(?P<emotion>[a-z]{3})-(?P<speaker>[fm]\d)-(?P<sentence>[a-z]\d)",
        codes={
            "speaker": _same("f1", "f2", "f3", "m1", "m2", "m3"),
            "emotion": {
                "rab": "anger",  # rabbia
                "dis": "disgust",  # disgusto
                "pau": "fear",  # paura
                "gio": "happiness",  # gioia
                "neu": "neutral",
                "tri": "sadness",  # tristezza
                "sor": "surprise",  # sorpresa
            },
        },
        derived={"gender": ("speaker", {f"{gender}{n}": gender for gender in "fm" for n in (1, 2, 3)})},
        constants={"language": "it"},
        columns=("sentence", "language"),
    ),
    # Busso et al. 2008, IEMOCAP: interactive emotional dyadic motion capture database.
    "iemocap": Corpus(
        title="Interactive emotional dyadic motion capture database, IEMOCAP (English)",
        example="Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav",
        # The letter of the dialogue says who wears the markers, the last one who speaks.
        pattern=r"(?P<turn>(?P<dialogue>Ses(?P<session>0[1-5])[FM]_(?P<elicitation>impro|script)\w+)_(?P<gender>[FM])\d{3})",
        codes={
            "gender": {"f": "f", "m": "m"},
            "session": {f"0{n}": str(n) for n in range(1, 6)},
            "elicitation": {"impro": "improvised", "script": "scripted"},
            "emotion": {
                "ang": "anger",
                "hap": "happiness",
                "exc": "excitement",
                "sad": "sadness",
                "neu": "neutral",
                "fru": "frustration",
                "fea": "fear",
                "sur": "surprise",
                "dis": "disgust",
                "oth": "other",
                "xxx": "undecided",  # no label has a majority of the raters
            },
        },
        speaker="Ses0{session}{gender}",
        constants={"language": "en"},
        columns=("session", "elicitation", "dialogue", "valence", "arousal", "dominance", "language"),
        annotations="evaluations",
        ignored=r"(^|/)dialog/",
        subsets={
            4: {
                "anger": "anger",
                "happiness": "happiness",
                "excitement": "happiness",
                "neutral": "neutral",
                "sadness": "sadness",
            }
        },
    ),
}

RULES: Codes = {
    "folders": "any corpus with a folder per class, such as anger/clip1.wav; --speaker finds the speaker",
    "pattern": "any names that follow a rule, told by --pattern",
}
"""What else ``dsfx labels`` can take its labels from."""
