"""The transformer is a good citizen of scikit-learn."""

import pickle

import joblib
import numpy as np
import pytest
import soundfile
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import dsfx
from dsfx.errors import AudioError, ConfigError
from dsfx.sklearn import FeatureExtractor


def test_paths_in_their_order(wavs):
    paths = [wavs / "d.wav", wavs / "a.wav", wavs / "sub" / "e.wav", wavs / "a.wav"]
    got = FeatureExtractor().transform(paths)
    frame = dsfx.extract(wavs, sets="eGeMAPSv02")
    files = frame.index.get_level_values("file")
    expected = [frame.to_numpy()[list(files).index(name)] for name in ("d.wav", "a.wav", "sub/e.wav", "a.wav")]
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == np.float32
    assert FeatureExtractor().get_feature_names_out().tolist() == list(frame.columns)


def test_signals(voice):
    signals = [voice(0.8), voice(1.1, seed=3)]
    got = FeatureExtractor(sampling_rate=16_000).transform(signals)
    expected = [dsfx.FeatureSet("eGeMAPSv02")(signal, 16_000).to_numpy()[0] for signal in signals]
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_inside_a_pipeline_cloned_and_stored(wavs, tmp_path):
    paths = np.array([str(p) for p in sorted(wavs.rglob("*.wav"))])
    labels = np.arange(len(paths)) % 2
    model = make_pipeline(FeatureExtractor(["eGeMAPSv02"]), StandardScaler(), LogisticRegression())
    model = clone(model).set_output(transform="pandas").fit(paths, labels)
    assert list(model[:-1].get_feature_names_out()) == list(FeatureExtractor().get_feature_names_out())
    assert model[0].transform(paths).columns[0] == FeatureExtractor().get_feature_names_out()[0]
    joblib.dump(model, tmp_path / "m.joblib")
    for again in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "m.joblib")):
        np.testing.assert_array_equal(again.predict_proba(paths), model.predict_proba(paths))


def test_what_is_wrong(wavs, tmp_path, voice):
    soundfile.write(tmp_path / "short.wav", voice(0.005), 16_000)
    (tmp_path / "broken.wav").write_text("oops")
    assert np.isnan(FeatureExtractor().transform([tmp_path / "short.wav"])).any()
    with pytest.raises(AudioError, match="recording 0 is too short"):
        FeatureExtractor(short="error").transform([tmp_path / "short.wav"])
    with pytest.raises(AudioError, match=r"broken\.wav: "):
        FeatureExtractor().transform([wavs / "a.wav", tmp_path / "broken.wav"])
    with pytest.raises(ConfigError, match="sampling_rate: needed with signals"):
        FeatureExtractor().transform([voice(0.5)])
    with pytest.raises(ConfigError, match="not both"):
        FeatureExtractor(sampling_rate=16_000).transform([voice(0.5), "a.wav"])
    with pytest.raises(ConfigError, match="no such set"):
        FeatureExtractor("mystery").fit([])
    assert FeatureExtractor().transform([]).shape == (0, 88)
