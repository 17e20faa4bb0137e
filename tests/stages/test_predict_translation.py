"""run=predict of a translator: from videos, keypoints, features and glosses to sentences and captioned videos."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import load_config
from made_videos import pictures, write_made
from small_translation import NETWORK, SMALL
from untrained import write_untrained, write_untrained_translator

from sign_recog import stages
from sign_recog.cli import CONF_DIR
from sign_recog.config.shorthand import expand
from sign_recog.errors import CheckpointError, ConfigError, DataError
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage.features import FeatureSequence, read_features, write_features
from sign_recog.storage.sequences import KeypointSequence, write_keypoints
from sign_recog.video.reader import read_frames
from sign_recog.video.writer import write_video

WORDS = ["morgen", "Regen", "und", "größere", "Schauer", "im", "Süden"]
COLOURS = {"_target_": "extractor_fakes.ColourExtractor"}


def settle(folder: Path, *overrides: str, network: tuple[str, ...] = NETWORK):
    return load_config(*SMALL, *network, f"paths.output_root={folder / 'outputs'}", *overrides)


def predict(folder: Path, checkpoint: Path, *overrides: str):
    """Its result, and the folder that it wrote."""
    out = folder / "out"
    given = (f"run.checkpoint={checkpoint}", f"run.output_dir={out}", *overrides)
    return stages.run(settle(folder, "run=predict", *given)), out


def answer(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def from_features(tmp_path) -> Path:
    """A translator of the colours of frames, by the extractor that its checkpoint names."""
    config = settle(tmp_path)
    config.extractor = dict(COLOURS)
    return write_untrained_translator(tmp_path / "f.ckpt", config, words=WORDS, input_dim=3)


@pytest.fixture
def from_glosses(tmp_path) -> Path:
    config = settle(tmp_path, "modality=gloss")
    return write_untrained_translator(tmp_path / "g.ckpt", config, words=WORDS, glosses=["REGEN", "MORGEN", "SUED"])


def write_colours(path: Path, num_frames: int, dim: int = 3) -> Path:
    values = np.random.default_rng(num_frames).normal(size=(num_frames, dim)).astype(np.float32)
    write_features(path, FeatureSequence(values, np.arange(num_frames) * 40, {}))
    return path


def test_a_video_is_extracted_translated_and_captioned(tmp_path, from_features):
    video = write_made(tmp_path / "a.mp4", pictures(9, 96, 128))
    result, out = predict(tmp_path, from_features, f"run.input={video}", "generation.num_return=2")
    found = answer(out / "a.json")
    assert found["frames"] == found["frames_read"] == 9 and found["input"] == str(video)
    assert found["translation"] == found["translations"][0]["text"] == result.summary["translation"]
    scores = [one["score"] for one in found["translations"]]
    assert len(scores) == 2 and scores == sorted(scores, reverse=True)
    plain, drawn = (np.stack([f.image for f in read_frames(p)]).astype(float) for p in (video, out / "a.mp4"))
    height = plain.shape[1]
    assert len(drawn) == len(plain) and drawn.shape[1] > height and drawn.shape[2] == plain.shape[2]
    assert found["translation"] and np.abs(plain - drawn[:, :height]).mean() < 8  # but for a second encoding
    assert drawn[:, height:].max() > 150 > 60 > np.median(drawn[:, height:])  # light letters on a dark band


def test_the_video_says_what_its_extracted_file_says(tmp_path, from_features):
    """The file that run=extract_features would write, through another path than the video."""
    from extractor_fakes import ColourExtractor

    (tmp_path / "in").mkdir()
    video = write_made(tmp_path / "in/a.mp4", pictures(9))
    write_features(tmp_path / "in/b.npz", ColourExtractor().extract(video))
    _, out = predict(tmp_path, from_features, f"run.input={tmp_path / 'in'}", "run.overlay=false")
    one, other = answer(out / "a.json"), answer(out / "b.json")
    assert one["translation"] == other["translation"] and not (out / "a.mp4").exists()
    assert one["translations"][0]["score"] == pytest.approx(other["translations"][0]["score"], abs=1e-5)


def test_features_of_other_programs_are_translated_as_this_project_s_own(tmp_path, from_features):
    values = np.random.default_rng(7).normal(size=(7, 3)).astype(np.float32)
    write_features(tmp_path / "in/own.npz", FeatureSequence(values, np.arange(7) * 40, {}))
    np.save(tmp_path / "in/array.npy", values)
    np.savez(tmp_path / "in/arrays.npz", features=values)
    torch.save(torch.from_numpy(values), tmp_path / "in/tensor.pt")
    result, out = predict(tmp_path, from_features, f"run.input={tmp_path / 'in'}")
    assert (result.summary["translated"], result.summary["failed"]) == (4, 0)
    found = [answer(out / f"{name}.json")["translations"] for name in ("own", "array", "arrays", "tensor")]
    assert found[1:] == found[:1] * 3
    assert not list(out.glob("*.mp4"))


def test_bad_files_among_good_ones_are_listed_and_the_rest_translated(tmp_path, from_features):
    folder = tmp_path / "in"
    for number in (5, 12):
        write_colours(folder / f"good{number}.npz", number)
    write_colours(folder / "wide.npz", 4, dim=4)
    (folder / "broken.npz").write_bytes(b"PK no archive")
    (folder / "text.mp4").write_text("no video")
    (folder / "glosses.txt").write_text("REGEN MORGEN")
    write_made(folder / "short.mp4", pictures(1))
    result, out = predict(tmp_path, from_features, f"run.input={folder}", "run.batch_size=2")
    assert (result.summary["translated"], result.summary["failed"]) == (3, 4)
    failed = dict(line.split("\t") for line in (out / "failed.tsv").read_text().splitlines()[1:])
    assert set(failed) == {"wide.npz", "broken.npz", "text.mp4", "glosses.txt"}
    assert "holds 4 values a frame" in failed["wide.npz"] and "f.ckpt reads 3" in failed["wide.npz"]
    assert {path.stem for path in out.glob("*.json")} == {"good5", "good12", "short"}


def test_batch_mates_do_not_change_a_sentence(tmp_path, from_features):
    for number in (3, 9, 40):
        write_colours(tmp_path / f"in/{number}.npz", number)
    found = []
    for size in (1, 3):
        _, out = predict(tmp_path, from_features, f"run.input={tmp_path / 'in'}", f"run.batch_size={size}")
        found.append({path.stem: answer(path) for path in out.glob("*.json")})
    for name in ("3", "9", "40"):
        one, other = (own[name]["translations"][0] for own in found)
        assert one["text"] == other["text"] and one["score"] == pytest.approx(other["score"], abs=1e-5)


def test_a_long_clip_is_cut_as_in_training_and_that_is_told(tmp_path):
    config = settle(tmp_path, "translation.max_source_length=6")
    checkpoint = write_untrained_translator(tmp_path / "f.ckpt", config, words=WORDS, input_dim=3)
    folder = tmp_path / "clips"
    whole = read_features(write_colours(folder / "a.npz", 10))
    write_features(folder / "b.npz", FeatureSequence(whole.features[:6], whole.timestamps_ms[:6], {}))
    _, out = predict(tmp_path, checkpoint, f"run.input={folder}")
    found, cut = (answer(out / f"{name}.json") for name in "ab")
    assert (found["frames"], found["frames_read"]) == (10, 6)
    assert found["translations"][0]["score"] == pytest.approx(cut["translations"][0]["score"], abs=1e-6)


def test_glosses_come_from_a_setting_or_from_files(tmp_path, from_glosses):
    result, out = predict(tmp_path, from_glosses, "run.glosses=REGEN HAGEL MORGEN")
    found = answer(out / "glosses.json")
    assert (found["glosses"], found["unknown_glosses"]) == (3, ["HAGEL"]) and "frames" not in found
    assert found["translation"] == result.summary["translation"] and result.summary["inputs"] == 1
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("REGEN HAGEL MORGEN\n", encoding="utf-8")
    (folder / "b.txt").write_text("SUED REGEN\nMORGEN\n", encoding="utf-8")
    (folder / "c.txt").write_text(" \n", encoding="utf-8")
    write_colours(folder / "d.npz", 4)
    write_made(folder / "e.mp4", pictures(3))
    result, out = predict(tmp_path, from_glosses, f"run.input={folder}")
    assert answer(out / "a.json")["translations"] == found["translations"]
    failed = (out / "failed.tsv").read_text()
    assert result.summary["failed"] == 4 and "holds 2 lines of glosses" in failed and "c.txt: holds no gloss" in failed
    assert "reads glosses" in failed and "d.npz: cannot be read as glosses" in failed


def test_glosses_with_commas_and_equals_signs_can_be_given(tmp_path, from_glosses):
    (given,) = expand(["run=predict", "glosses=REGEN, loc:NORD X=B"], CONF_DIR)[1:]
    _, out = predict(tmp_path, from_glosses, given)
    assert answer(out / "glosses.json")["unknown_glosses"] == ["REGEN,", "loc:NORD", "X=B"]


def keypoint_translator(folder: Path, *overrides: str) -> Path:
    config = settle(folder, "modality=keypoints", "augment=none", "model.d_model=16", *overrides, network=NETWORK)
    return write_untrained_translator(folder / "k.ckpt", config, words=WORDS, input_dim=137)


def test_keypoint_files_are_translated_and_other_layouts_are_listed(tmp_path):
    rng, checkpoint = np.random.default_rng(0), keypoint_translator(tmp_path)
    for name, layout in (("good", "holistic_75"), ("other", "fslr_78")):
        points = get_layout(layout)
        keypoints = rng.random((8, points.num_points if hasattr(points, "num_points") else len(points.ids), 3))
        sequence = KeypointSequence(
            keypoints.astype(np.float32), np.ones(keypoints.shape[:2], np.float32), np.arange(8) * 40, points,
            {"clip_id": name, "width": 640, "height": 480, "fps": 25},
        )  # fmt: skip
        write_keypoints(tmp_path / f"in/{name}.npz", sequence)
    result, out = predict(tmp_path, checkpoint, f"run.input={tmp_path / 'in'}")
    assert answer(out / "good.json")["frames"] == 8
    assert result.summary["translated"] + result.summary["failed"] == 2


@pytest.mark.slow
def test_a_signer_s_video_goes_through_mediapipe_to_a_captioned_skeleton(tmp_path, test_data):
    pytest.importorskip("mediapipe", reason="MediaPipe cannot be loaded", exc_type=ImportError)
    source = test_data / "video_ksl77_koala/clips/Seoul_example1.mp4"
    images = [frame.image for frame in read_frames(source, start_s=0.8, end_s=1.1)]
    write_video(tmp_path / "a.mp4", images, 25)
    _, out = predict(tmp_path, keypoint_translator(tmp_path), f"run.input={tmp_path / 'a.mp4'}")
    assert answer(out / "a.json")["frames"] == len(images)
    before, drawn = (
        np.stack([f.image for f in read_frames(p)]).astype(float) for p in (tmp_path / "a.mp4", out / "a.mp4")
    )
    height = before.shape[1]
    changed = np.abs(before - drawn[:, :height]).max((0, 3))
    assert (changed[: height // 2] > 100).any(), "no skeleton"
    assert drawn[:, height:].max() > 150, "no caption"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("run.language=DGS",), "run.language has no effect"),
        (("run.embeddings=[cls]",), "run.embeddings has no effect"),
        (("generation.max_length=0",), "generation.max_length=0 must be at least 1"),
        (("run.glosses=A B",), "are two inputs"),
    ],
)
def test_settings_without_effect_are_refused(tmp_path, from_features, overrides, words):
    path = write_colours(tmp_path / "a.npz", 4)
    with pytest.raises(ConfigError, match=words):
        predict(tmp_path, from_features, f"run.input={path}", *overrides)


def test_glosses_are_refused_where_none_are_read(tmp_path, from_features):
    with pytest.raises(ConfigError, match=r"run\.glosses has no effect: .*f\.ckpt reads no glosses"):
        predict(tmp_path, from_features, "run.glosses=REGEN")
    config = load_config("data=manifest", "data.source=unused", "modality=features", "augment=none", "model=gru")
    recogniser = write_untrained(tmp_path / "r.ckpt", config, input_dim=3, glosses="ab")
    with pytest.raises(ConfigError, match=r"run\.glosses has no effect: .*r\.ckpt is a recogniser"):
        predict(tmp_path, recogniser, "run.glosses=REGEN")
    with pytest.raises(ConfigError, match="holds no gloss"):
        predict(tmp_path, from_features, "run.glosses=' '")


def test_nothing_that_can_be_translated_is_an_error(tmp_path, from_features):
    (tmp_path / "bad.npz").write_bytes(b"")
    with pytest.raises(DataError, match="None of 1 inputs could be translated"):
        predict(tmp_path, from_features, f"run.input={tmp_path / 'bad.npz'}")


def test_an_export_is_refused_with_the_reason(tmp_path, from_features):
    config = load_config("run=export", f"run.checkpoint={from_features}", f"run.output_dir={tmp_path / 'export'}")
    with pytest.raises(CheckpointError, match=r"is a translator.*one token after another.*run=predict"):
        stages.run(config)
    assert not (tmp_path / "export").exists()
