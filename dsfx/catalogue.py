"""Every descriptor and every functional a set may ask for: what it is, what it takes, what it is called.

One table serves all: it checks the parameters in a set's file, it says what must be computed and on which frames, and
it is what `dsfx describe` prints. Nothing here computes.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "DESCRIPTORS",
    "FUNCTIONALS",
    "NUMBERED",
    "REFERENCES",
    "Descriptor",
    "Functional",
    "Parameter",
    "contour_unit",
    "functional",
    "functional_unit",
]

REFERENCES = {
    "eyben2016": "Eyben et al. (2016), The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research and "
    "affective computing, IEEE Trans. Affective Computing 7(2), doi:10.1109/TAFFC.2015.2457417",
    "schuller2016": "Schuller et al. (2016), The INTERSPEECH 2016 Computational Paralinguistics Challenge: deception, "
    "sincerity and native language, Proc. Interspeech, doi:10.21437/Interspeech.2016-129",
    "weninger2013": "Weninger et al. (2013), On the acoustics of emotion in audio, Frontiers in Psychology 4:292, "
    "doi:10.3389/fpsyg.2013.00292",
    "eyben2015": "Eyben (2015), Real-time Speech and Music Classification by Large Audio Feature Space Extraction, "
    "Springer, doi:10.1007/978-3-319-27299-3",
    "hermes1988": "Hermes (1988), Measurement of pitch by subharmonic summation, J. Acoust. Soc. Am. 83(1), "
    "doi:10.1121/1.396427",
    "hermansky1990": "Hermansky (1990), Perceptual linear predictive (PLP) analysis of speech, J. Acoust. Soc. Am. "
    "87(4), doi:10.1121/1.399423",
    "hermansky1994": "Hermansky & Morgan (1994), RASTA processing of speech, IEEE Trans. Speech and Audio Processing "
    "2(4), doi:10.1109/89.326616",
    "davis1980": "Davis & Mermelstein (1980), Comparison of parametric representations for monosyllabic word "
    "recognition, IEEE Trans. Acoustics, Speech, and Signal Processing 28(4), doi:10.1109/TASSP.1980.1163420",
    "zwicker1999": "Zwicker & Fastl (1999), Psychoacoustics: Facts and Models, 2nd ed., Springer",
    "hammarberg1980": "Hammarberg et al. (1980), Perceptual and acoustic correlates of abnormal voice qualities, Acta "
    "Oto-Laryngologica 90, doi:10.3109/00016488009131746",
}


@dataclass(frozen=True)
class Parameter:
    """One parameter: a default (None: required), a check, and what is allowed in words."""

    default: Any
    check: Callable[[Any], bool]
    allowed: str


@dataclass(frozen=True)
class Descriptor:
    """One kind of descriptor.

    Attributes
    ----------
    source : str
        "short" frames; "long" frames, known without waiting for F0; released with F0 ("pitch"), or after it ("late").
    engine : function of parameters
        Names of the values in the engines' output, one per column.
    labels : function of parameters, or None
        What replaces ``{}`` in the name of each column; None for a single column.
    """

    source: str
    unit: str
    text: str
    engine: Callable[[Mapping[str, Any]], list[str]]
    labels: Callable[[Mapping[str, Any]], list[str]] | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    traps: tuple[str, ...] = ()
    reference: str = "eyben2015"
    section: str = ""


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _band(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_number, value)) and 0 <= value[0] < value[1]


def _list_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(check, value))


BANDS = Parameter(None, _list_of(_band), "a list of bands [low, high] in Hz")
EDGES = "two frequencies [middle, high] in Hz, rising"
FORMANTS = Parameter(
    [1, 2, 3],
    _list_of(lambda v: _whole(v) and 1 <= v <= 3),
    "a list of formant numbers from 1 to 3",
)


def _one(name: str) -> Callable[[Mapping[str, Any]], list[str]]:
    return lambda _: [name]


def _bands(template: str) -> Callable[[Mapping[str, Any]], list[str]]:
    return lambda p: [template.format(f"{low:g}-{high:g}") for low, high in p["bands"]]


def _percent(share: float) -> str:
    text = f"{100 * share:.6f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


_MEL = "26 triangular bands of the power spectrum on the mel scale from 20 Hz to 8 kHz"
_SPECTRUM = "power spectrum of a {short:g} ms Hamming-windowed frame, without the DC bin"
_GATED = "a frame counts as voiced only where the windowed long frame's RMS exceeds 0.001 of full scale"
_PERIODS = "periods are found by correlating neighbouring stretches of the waveform around the period that F0 says"

DESCRIPTORS: dict[str, Descriptor] = {
    # --- short frames: energy and auditory spectrum
    "rms": Descriptor(
        "short",
        "1 (full scale = 1)",
        "root of the mean square of the samples of the frame, without window",
        _one("pcm_RMSenergy"),
        section="part 01 section 5",
    ),
    "mean_square": Descriptor(
        "short",
        "1 (full scale = 1)",
        "mean square of the samples of the frame, without window",
        _one("meanSquareEnergy"),
        section="part 01 section 5",
    ),
    "loudness": Descriptor(
        "short",
        "a.u. (auditory)",
        f"auditory loudness: mean of {_MEL}, weighted with an equal-loudness curve and compressed by the power 0.33",
        _one("loudness"),
        traps=(
            "not sone and not calibrated: it depends on the level of the recording",
            "the mean over bands, although ComParE's name says L1 norm",
        ),
        reference="hermansky1990",
        section="part 01 section 8.2",
    ),
    "loudness_rasta": Descriptor(
        "short",
        "a.u. (auditory)",
        f"mean of {_MEL}, log energies filtered over time by the RASTA band-pass, weighted with an equal-loudness "
        "curve and compressed by the power 0.33",
        _one("audspecRasta_lengthL1norm"),
        traps=(
            "the first five frames are constant while the filter fills; stationary sound gives the same constant "
            "whatever its level",
            "an onset after digital silence gives values of several hundred",
        ),
        reference="hermansky1994",
        section="part 01 section 8.3",
    ),
    "bands_rasta": Descriptor(
        "short",
        "a.u. (auditory)",
        f"auditory spectrum, band {{label}} (counted from 0) of {_MEL}: log energy filtered over time by the RASTA "
        "band-pass, weighted with an equal-loudness curve and compressed by the power 0.33",
        lambda p: [f"audSpec_Rfilt[{b}]" for b in range(p["bands"])],
        labels=lambda p: [str(b) for b in range(p["bands"])],
        parameters={"bands": Parameter(26, lambda v: v == 26, "26, the bands of the mel filter bank")},
        traps=("the first five frames are constant while the filter fills",),
        reference="hermansky1994",
        section="part 01 section 8.3",
    ),
    "mfcc": Descriptor(
        "short",
        "1",
        f"mel-frequency cepstral coefficient {{label}}: cosine transform of the log energies of {_MEL}, liftered (22)",
        lambda p: [f"mfcc[{i}]" for i in range(p["first"], p["last"] + 1)],
        labels=lambda p: [str(i) for i in range(p["first"], p["last"] + 1)],
        parameters={
            "first": Parameter(1, lambda v: _whole(v) and 1 <= v <= 25, "a whole number from 1 to 25"),
            "last": Parameter(None, lambda v: _whole(v) and 1 <= v <= 25, "a whole number from 1 to 25"),
        },
        traps=("no coefficient 0, no pre-emphasis, no mean subtraction; log energies are floored at one 16-bit step",),
        reference="davis1980",
        section="part 01 section 9",
    ),
    # --- short frames: ComParE's spectral descriptors
    "band_energy": Descriptor(
        "short",
        "a.u.",
        "energy of the band {label} Hz: sum of the power spectrum, edges interpolated, over the number of all bins",
        _bands("pcm_fftMag_fband{}"),
        labels=_bands("{}"),
        parameters={"bands": BANDS},
        traps=("an absolute level: not relative to the frame's total energy",),
        section="part 01 section 10",
    ),
    "rolloff": Descriptor(
        "short",
        "Hz",
        f"roll-off: lowest frequency below which {{label}} % of the energy of the {_SPECTRUM} lies",
        lambda p: [f"pcm_fftMag_spectralRollOff{_percent(s)}" for s in p["shares"]],
        labels=lambda p: [_percent(s) for s in p["shares"]],
        parameters={
            "shares": Parameter(
                None, _list_of(lambda v: _number(v) and 0 < v < 1), "a list of shares between 0 and 1, exclusive"
            )
        },
        traps=("a multiple of the bin width (31.25 Hz at 16 kHz), so contours are full of ties",),
        section="part 01 section 10",
    ),
    "flux": Descriptor(
        "short",
        "a.u.",
        "spectral flux: root mean square difference of the magnitude spectrum (without DC) to the frame before",
        _one("pcm_fftMag_spectralFlux"),
        traps=("not normalised: it grows with the level", "0 in the first frame"),
        section="part 01 section 10",
    ),
    "centroid": Descriptor(
        "short",
        "Hz",
        f"centre of gravity of the {_SPECTRUM}",
        _one("pcm_fftMag_spectralCentroid"),
        section="part 01 section 10",
    ),
    "entropy": Descriptor(
        "short",
        "bit",
        f"entropy of the {_SPECTRUM}, taken as a probability distribution",
        _one("pcm_fftMag_spectralEntropy"),
        traps=("bins are floored at 1e-7 but their sum is not: near silence the value is no proper entropy",),
        section="part 01 section 10",
    ),
    "variance": Descriptor(
        "short",
        "Hz^2",
        f"variance about the centroid of the {_SPECTRUM}",
        _one("pcm_fftMag_spectralVariance"),
        section="part 01 section 10",
    ),
    "skewness": Descriptor(
        "short",
        "1",
        f"skewness about the centroid of the {_SPECTRUM}",
        _one("pcm_fftMag_spectralSkewness"),
        section="part 01 section 10",
    ),
    "kurtosis": Descriptor(
        "short",
        "1",
        f"kurtosis about the centroid of the {_SPECTRUM} (3 for a Gaussian)",
        _one("pcm_fftMag_spectralKurtosis"),
        section="part 01 section 10",
    ),
    "slope": Descriptor(
        "short",
        "a.u.",
        f"least-squares slope over frequency of the {_SPECTRUM}, times the number of bins minus 1",
        _one("pcm_fftMag_spectralSlope"),
        traps=("on power, not on decibels, and not normalised: it grows with the level",),
        section="part 01 section 10",
    ),
    "sharpness": Descriptor(
        "short",
        "a.u. (psychoacoustic)",
        f"sharpness: centroid on the Bark scale of the {_SPECTRUM}, high bands weighted up",
        _one("pcm_fftMag_psySharpness"),
        traps=("on power, without a loudness model: not acum",),
        reference="zwicker1999",
        section="part 01 section 10",
    ),
    "harmonicity": Descriptor(
        "short",
        "a.u.",
        f"harmonicity: sum of the differences between successive peaks and valleys of the {_SPECTRUM}, per bin",
        _one("pcm_fftMag_spectralHarmonicity"),
        traps=("not normalised by energy: it grows with the level; unrelated to the harmonics-to-noise ratio",),
        section="part 01 section 10",
    ),
    # --- short frames: GeMAPS' spectral descriptors
    "flux_below": Descriptor(
        "short",
        "a.u.",
        "spectral flux: root mean square difference of the magnitude spectrum below {high:g} Hz (with DC) to the frame "
        "before",
        _one("spectralFlux"),
        parameters={
            "high": Parameter(5000.0, lambda v: _number(v) and v > 0, "a frequency in Hz"),
        },
        traps=("not normalised: it grows with the level", "0 in the first frame"),
        reference="eyben2016",
        section="part 01 section 11.1",
    ),
    "alpha_ratio": Descriptor(
        "short",
        "dB",
        "alpha ratio: level of the power spectrum from {edges[0]:g} to {edges[1]:g} Hz over that below {edges[0]:g} Hz",
        _one("alphaRatio"),
        parameters={"edges": Parameter([1000.0, 5000.0], _band, EDGES)},
        traps=(
            "high over low: more energy in the high frequencies gives a larger value, contrary to some definitions",
        ),
        reference="eyben2016",
        section="part 01 section 11.2",
    ),
    "hammarberg": Descriptor(
        "short",
        "dB",
        "Hammarberg index: strongest bin below {edges[0]:g} Hz over strongest bin from {edges[0]:g} to {edges[1]:g} Hz",
        _one("hammarbergIndex"),
        parameters={"edges": Parameter([2000.0, 5000.0], _band, EDGES)},
        reference="hammarberg1980",
        section="part 01 section 11.2",
    ),
    "band_slope": Descriptor(
        "short",
        "dB/Hz",
        "slope of the log power spectrum from {label} Hz",
        _bands("slope{}"),
        labels=_bands("{}"),
        parameters={"bands": BANDS},
        traps=(
            "not an exact regression (edge weights enter squared): a flat spectrum has a slope, and the value depends "
            "on the level",
        ),
        reference="eyben2016",
        section="part 01 section 11.3",
    ),
    # --- short frames with the start of a long one: formants
    "formant_frequency": Descriptor(
        "long",
        "Hz",
        "frequency of formant {label}: root of a linear prediction of order 11 on the frame, band-limited to 11 kHz "
        "sampling rate",
        lambda p: [f"F{n}frequency" for n in p["formants"]],
        labels=lambda p: [str(n) for n in p["formants"]],
        parameters={"formants": FORMANTS},
        traps=(
            "not a textbook formant: the coefficients enter the polynomial with the opposite sign; known resonances at "
            "500, 1500, 2500 Hz come out near 809, 1425, 2508 Hz",
            "0 where no such root exists; the first one above 50 Hz is called F1, without tracking over time",
        ),
        reference="eyben2016",
        section="part 02 section 11",
    ),
    "formant_bandwidth": Descriptor(
        "long",
        "Hz",
        "bandwidth of formant {label}, from the radius of the same root",
        lambda p: [f"F{n}bandwidth" for n in p["formants"]],
        labels=lambda p: [str(n) for n in p["formants"]],
        parameters={"formants": FORMANTS},
        traps=("around 1 kHz for real vowels: see the formant's frequency",),
        reference="eyben2016",
        section="part 02 section 11",
    ),
    # --- long frames
    "zcr": Descriptor(
        "long",
        "1",
        "zero-crossing rate: share of the samples of a {long:g} ms frame at which the sign changes",
        _one("pcm_zcr"),
        traps=("every sample of digital silence counts as a crossing, so silence gives almost 1",),
        section="part 01 section 6",
    ),
    "f0": Descriptor(
        "pitch",
        "Hz",
        "fundamental frequency: sub-harmonic summation on a {long:g} ms Gauss-windowed spectrum, smoothest path "
        "(Viterbi) through the candidates; 0 where unvoiced",
        _one("F0final"),
        traps=(_GATED,),
        reference="hermes1988",
        section="part 02 sections 3 to 8",
    ),
    "f0_semitones": Descriptor(
        "pitch",
        "semitone re 27.5 Hz",
        "fundamental frequency in semitones above 27.5 Hz: sub-harmonic summation on a {long:g} ms Gauss-windowed "
        "spectrum, smoothest path (Viterbi) through the candidates; 0 where unvoiced",
        _one("F0semitoneFrom27.5Hz"),
        traps=(_GATED,),
        reference="hermes1988",
        section="part 02 sections 3 to 8",
    ),
    "voicing": Descriptor(
        "pitch",
        "1",
        "voicing probability: height of the F0 candidate over the mean of the sub-harmonic sum, 1 - mean/height",
        _one("voicingFinalUnclipped"),
        traps=("not 0 where unvoiced: there it is that of the best candidate; 0 only where the energy gate closes",),
        reference="hermes1988",
        section="part 02 sections 6 to 8",
    ),
    "jitter": Descriptor(
        "late",
        "1",
        "local jitter: mean absolute difference of neighbouring periods over the mean period; 0 where unvoiced",
        _one("jitterLocal"),
        traps=(_PERIODS, "periods that overlap two frames may count twice"),
        section="part 02 section 9",
    ),
    "jitter_ddp": Descriptor(
        "late",
        "1",
        "jitter of jitter (DDP): mean absolute difference of neighbouring period differences over the mean period; 0 "
        "where unvoiced",
        _one("jitterDDP"),
        traps=(_PERIODS,),
        section="part 02 section 9",
    ),
    "shimmer": Descriptor(
        "late",
        "1",
        "local shimmer: mean absolute difference of the peak-to-peak amplitudes of neighbouring periods over the mean "
        "amplitude; 0 where unvoiced",
        _one("shimmerLocal"),
        traps=(_PERIODS,),
        section="part 02 section 9",
    ),
    "shimmer_db": Descriptor(
        "late",
        "dB",
        "local shimmer in decibels, 20·log10(1 + shimmer); 0 where unvoiced",
        _one("shimmerLocaldB"),
        traps=(_PERIODS,),
        reference="eyben2016",
        section="part 02 section 9",
    ),
    "hnr_waveform": Descriptor(
        "late",
        "dB",
        "harmonics-to-noise ratio: level of the average period over that of what the periods of the frame differ from "
        "it",
        _one("logHNR"),
        traps=(
            "-100 where unvoiced, which is not zero: functionals over non-zero frames include these frames",
            "0 for an exactly periodic signal",
        ),
        section="part 02 section 9.5",
    ),
    "hnr_autocorrelation": Descriptor(
        "pitch",
        "dB",
        "harmonics-to-noise ratio from the autocorrelation: peak near the period over the rest of the energy; 0 where "
        "unvoiced",
        _one("HNRdBACF"),
        traps=("0 dB in a voiced frame and an unvoiced frame look the same",),
        reference="eyben2016",
        section="part 02 section 10",
    ),
    "h1_h2": Descriptor(
        "pitch",
        "dB",
        "harmonic difference H1-H2: level of one partial over that of the next; 0 where unvoiced",
        _one("logRelF0-H1-H2"),
        traps=(
            'partials are counted from 0, so that "H1" is the second partial and "H2" the third; the fundamental is '
            "neither",
        ),
        reference="eyben2016",
        section="part 02 section 12.5",
    ),
    "h1_a3": Descriptor(
        "pitch",
        "dB",
        "harmonic difference H1-A3: level of a partial over that of the strongest one near the third formant; 0 where "
        "unvoiced",
        _one("logRelF0-H1-A3"),
        traps=(
            'partials are counted from 0, so that "H1" is the second partial',
            "without a partial near F3, 201 dB are subtracted",
        ),
        reference="eyben2016",
        section="part 02 section 12.5",
    ),
    "formant_amplitude": Descriptor(
        "pitch",
        "dB",
        "amplitude of formant {label}: level of the strongest partial within 20 % of its frequency over that of the "
        "fundamental",
        lambda p: [f"F{n}amplitudeLogRelF0" for n in p["formants"]],
        labels=lambda p: [str(n) for n in p["formants"]],
        parameters={"formants": FORMANTS},
        traps=(
            "-201 where unvoiced, which is not zero: means over non-zero frames mostly measure the share of unvoiced "
            "frames",
            "exactly 0 where that partial is the fundamental itself (F1: about every eighth voiced frame) or where "
            "none lies near; such a frame then counts as missing",
        ),
        reference="eyben2016",
        section="part 02 section 12.4",
    ),
}


# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Functional:
    """One functional: the family that computes it, its column there, and what to say about it.

    Attributes
    ----------
    family : str
        Key of the function that computes it with its family.
    unit : str
        "same" as the contour, "same^2", "same / s", or a unit of its own.
    needs : tuple of str
        Parameter tables of the group that it reads.
    """

    family: str
    unit: str
    text: str
    needs: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()
    section: str = ""
    value: float = 0.0
    """The number in a name like ``percentile20.0``: share, level or index."""
    pair: tuple[int, int] = (0, 0)
    """The two numbers in a name like ``iqr1-3``."""


_LIMITED = "large slopes are softly limited before they are normalised, by a limit that depends on the range"
_SEGMENTS_BY_LEVEL = (
    "segments are cut where the running mean over three frames, which starts from 0, crosses a level; what follows the "
    "last crossing does not count"
)
_RUN_LENGTH = "the length of a run is its number of frames minus one, and gaps of one frame are bridged"
_FALL = "positive for a fall, except for the slope from the last peak to the end, which keeps its sign"
_END = "the slope to the end of the contour is missing in the sum but counted in the divisor"


def _fixed() -> dict[str, Functional]:
    def family(name: str, section: str, needs: tuple[str, ...] = (), **members: tuple[str, ...]) -> None:
        for member, (unit, text, *traps) in members.items():
            table[member] = Functional(name, unit, text, needs, tuple(traps), f"part 03 section {section}")

    table: dict[str, Functional] = {}
    family(
        "means",
        "7.1",
        amean=("same", "arithmetic mean"),
        posamean=("same", "mean of the values above 0"),
        rqmean=("same", "root of the mean square"),
        flatness=(
            "1",
            "geometric over arithmetic mean of the absolute values",
            "zeros are left out of the geometric mean but not of the arithmetic one",
        ),
        nnz=("1", "share of non-zero frames"),
    )
    family(
        "extremes",
        "7.2",
        range=("same", "maximum minus minimum"),
        maxPos=("1", "position of the (first) maximum, relative to the number of frames"),
        minPos=("1", "position of the (first) minimum, relative to the number of frames"),
    )
    family(
        "moments",
        "7.3",
        stddev=("same", "standard deviation (population)"),
        skewness=("1", "skewness (population)"),
        kurtosis=("1", "kurtosis (population, 3 for a Gaussian)"),
        stddevNorm=(
            "1",
            "coefficient of variation: standard deviation over mean",
            "signed like the mean, and without bound where the mean is near 0",
        ),
    )
    family(
        "regression",
        "7.5",
        ("regression",),
        linregc1=("slope", "slope of the regression line, range normalised to 1", _LIMITED),
        linregc2=("1", "value of the regression line at the first frame, range normalised to [0, 1]"),
        linregerrQ=("1", "mean square error of the regression line, range normalised to 1"),
        qregc1=("slope^2", "quadratic coefficient of the regression parabola, range normalised to 1", _LIMITED),
        qregc2=("slope", "linear coefficient of the regression parabola, range normalised to 1", _LIMITED),
        qregc3=("1", "value of the regression parabola at the first frame, range normalised to [0, 1]"),
        qregerrQ=("1", "mean square error of the regression parabola, range normalised to 1"),
        centroid=("1", "centre of gravity in time of the absolute values, relative to the number of frames"),
    )
    family(
        "times",
        "7.6",
        risetime=("1", "share of the steps from frame to frame that rise", "plateaus count as not rising"),
        leftctime=("1", "share of the frames with left curvature (growing slope)", "plateaus count as not curved"),
    )
    family(
        "lp",
        "7.7",
        ("lp",),
        lpgain=("same^2", "residual energy per frame of a linear prediction of the contour"),
    )
    family(
        "segments",
        "7.8 to 7.10",
        ("segments",),
        numSegments=("1/s", "segments per second"),
        meanSegLen=("s", "mean length of the segments"),
        maxSegLen=("s", "length of the longest segment"),
        minSegLen=("s", "length of the shortest segment"),
        segLenStddev=("s", "standard deviation (population) of the lengths of the segments"),
    )
    family(
        "peaks",
        "7.11 and 7.12",
        ("peaks",),
        numPeaks=("1/s", "peaks per second"),
        meanPeakDist=("s", "mean distance of neighbouring peaks"),
        peakDistStddev=(
            "s",
            "standard deviation of the distance of neighbouring peaks",
            "measured from the valley before each peak, not from the peak before it",
        ),
        peakRangeAbs=("same", "highest minus lowest peak"),
        peakRangeRel=("1", "highest minus lowest peak, relative to the range of the contour"),
        peakMeanAbs=("same", "mean of the peaks"),
        peakMeanMeanDist=("same", "mean of the peaks minus mean of the contour"),
        peakMeanRel=("1", "mean of the peaks over mean of the contour", "softly limited to ±20; 20 if the mean is 0"),
        minRangeRel=("1", "highest minus lowest valley, relative to the range of the contour"),
        meanRisingSlope=("same / s", "mean slope from each valley up to the next peak"),
        stddevRisingSlope=("same / s", "standard deviation of the slopes from each valley up to the next peak", _END),
        meanFallingSlope=("same / s", "mean slope from each peak down to the next valley", _FALL),
        stddevFallingSlope=(
            "same / s", "standard deviation of the slopes from each peak down to the next valley", _FALL, _END
        ),
    )  # fmt: skip
    family("level", "7.13", levelOfMean=("dB", "level of the mean, 10·log10, at least -120 dB"))
    return table


FUNCTIONALS: dict[str, Functional] = _fixed()
"""Functionals with a fixed name. Those with a number in their name are made by `functional`."""

NUMBERED = (
    "quartile1 … quartile3",
    "percentile<percent>",
    "iqr<a>-<b>",
    "pctlrange<a>-<b>",
    "upleveltime<percent>",
    "lpc<index>",
)


def functional(name: str) -> Functional | None:
    """The functional of this name, or None."""
    if name in FUNCTIONALS:
        return FUNCTIONALS[name]
    percentile = "part 03 section 7.4"
    if match := re.fullmatch(r"quartile([123])", name):
        share = int(match[1]) / 4
        return Functional("percentiles", "same", f"{_percent_text(share)} percentile", value=share, section=percentile)
    if match := re.fullmatch(r"percentile(\d{1,2}\.\d+)", name):
        share = _share(match[1])
        return Functional("percentiles", "same", f"{_percent_text(share)} percentile", value=share, section=percentile)
    if match := re.fullmatch(r"iqr([123])-([123])", name):
        pair = (int(match[1]), int(match[2]))
        text = f"quartile {pair[1]} minus quartile {pair[0]}"
        return Functional("percentiles", "same", text, pair=pair, section=percentile) if pair[0] < pair[1] else None
    if match := re.fullmatch(r"pctlrange(\d)-(\d)", name):
        pair = (int(match[1]), int(match[2]))
        text = "distance of two percentiles"
        return Functional("percentiles", "same", text, pair=pair, section=percentile) if pair[0] < pair[1] else None
    if match := re.fullmatch(r"upleveltime(\d{1,2})", name):
        text = f"share of frames above {int(match[1])} % of the range"
        return Functional("times", "1", text, value=_share(match[1]), section="part 03 section 7.6")
    if match := re.fullmatch(r"lpc(\d{1,2})", name):
        text = f"coefficient {int(match[1]) + 1} of the error filter of a linear prediction of the contour"
        traps = (
            "opposite in sign to a predictor's coefficient; of a smoothed contour, so dominated by the smoothing and, "
            "from the third on, by rounding",
        )
        return Functional("lp", "1", text, ("lp",), traps, "part 03 section 7.7", value=float(match[1]))
    return None


def _share(percent: str) -> float:
    """ "20.0" as the double nearest to 0.2, which 20.0 / 100 is as well."""
    return float(percent) / 100


def _percent_text(share: float) -> str:
    return f"{100 * share:g} %"


def contour_unit(kind: str, is_delta: bool) -> str:
    """Unit of a contour of this kind of descriptor."""
    unit = DESCRIPTORS[kind].unit
    return f"{unit} per frame" if is_delta else unit


def functional_unit(name: str, unit: str, parameters: Mapping[str, Mapping[str, Any]]) -> str:
    """Unit of a functional of a contour in `unit`."""
    found = functional(name)
    own = found.unit if found else "1"
    if own == "same":
        return unit
    if own == "same^2":
        return "1" if unit == "1" else f"({unit})^2"
    if own == "same / s":
        return "1/s" if unit == "1" else f"{unit} / s"
    if own.startswith("slope"):
        per = "frame" if parameters["regression"]["slope_per"] == "frame" else "s"
        return f"1/{per}{own[5:]}"
    return own
