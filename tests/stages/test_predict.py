"""run=predict: the same answer as evaluation, for videos and for keypoint files, and a clear word on bad input."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, load_config, write_tiny_corpus
from untrained import write_untrained

from sign_recog import stages
from sign_recog.config.schema import Crop
from sign_recog.errors import CheckpointError, ConfigError, DataError
from sign_recog.stages.inputs import InputReader
from sign_recog.stages.recognizer import load_recognizer
from sign_recog.stages.small_clips import make_small_clips
from sign_recog.storage.checkpoint import read_checkpoint
from sign_recog.storage.features import FeatureSequence, write_features
from sign_recog.storage.manifest import Clip

FEW = ("trainer.max_epochs=5", "optim.lr=1e-2")


@pytest.fixture(scope="module")
def training(tmp_path_factory) -> Path:
    """A folder with the drawn corpus and one training on it."""
    folder = tmp_path_factory.mktemp("training")
    paths = (f"paths.data_root={folder / 'data'}", f"paths.output_root={folder / 'outputs'}")
    config = load_config(*TINY, *paths, "run=classify", *FEW)
    write_tiny_corpus(config)
    stages.run(config)
    return folder


@pytest.fixture
def trained(training, tiny, tmp_path):
    """As ``tiny``, in a folder of the test's own where the training has been done."""
    shutil.copytree(training, tmp_path, dirs_exist_ok=True)
    return tiny


def predict(configure, source: Path, out: Path, *overrides: str):
    return stages.run(configure("run=predict", f"run.input={source}", f"run.output_dir={out}", *FEW, *overrides))


def test_a_keypoint_file_gets_the_probabilities_that_evaluation_gave_it(trained, tmp_path):
    evaluation = trained("run=evaluate", *FEW)
    stages.run(evaluation)
    with (Path(evaluation.paths.run_dir) / "predictions.csv").open() as file:
        expected = {row["clip_id"]: row for row in csv.DictReader(file)}
    predict(trained, tmp_path / "data/tiny/keypoints/mediapipe_holistic/up", tmp_path / "out", "run.top_k=2")
    answer = json.loads((tmp_path / "out/7.json").read_text())
    row = expected["up/7"]
    assert [g["gloss"] for g in answer["glosses"]] == [row["top1"], row["top2"]]
    assert answer["glosses"][0]["probability"] == pytest.approx(float(row["p1"]), abs=1e-4)
    assert len(list((tmp_path / "out").glob("*.json"))) == 8


def test_a_bad_file_among_good_ones_is_listed_and_the_rest_answered(trained, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    source = tmp_path / "data/tiny/keypoints/mediapipe_holistic/up/7.npz"
    (folder / "good.npz").write_bytes(source.read_bytes())
    (folder / "bad.npz").write_bytes(b"no archive")
    (folder / "text.mp4").write_text("no video")
    summary = predict(trained, folder, tmp_path / "out").summary
    assert (summary["recognised"], summary["failed"]) == (1, 2)
    text = (tmp_path / "out/failed.tsv").read_text()
    assert "bad.npz" in text and "text.mp4" in text


@pytest.mark.parametrize(
    ("name", "words"),
    [("none.mp4", "no such file or folder"), ("empty", "holds nothing"), ("bad.npz", "None of 1 inputs")],
)
def test_nothing_to_recognise_is_an_error(trained, tmp_path, name, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.npz").write_bytes(b"")
    with pytest.raises(DataError, match=words):
        predict(trained, tmp_path / name, tmp_path / "out")


def test_results_lie_beside_the_run_that_the_checkpoint_is_from(trained, tmp_path):
    folder = Path(trained("run=classify", *FEW).paths.run_dir)
    source = tmp_path / "data/tiny/keypoints/mediapipe_holistic/up/7.npz"
    checkpoint = folder / "checkpoints" / "best.ckpt"
    stages.run(trained("run=predict", f"run.input={source}", f"run.checkpoint={checkpoint}", "seed=9"))
    assert (folder / "predictions" / "7.json").exists()


def test_no_input_is_refused_before_work(tiny):
    with pytest.raises(ConfigError, match=r"run.input=null"):
        tiny("run=predict")


def test_batch_mates_and_padding_do_not_change_an_answer(trained, tmp_path):
    """The recogniser alone, and the same clip padded beside a longer one."""
    from sign_recog.data.datasets import pad, padding_mask
    from sign_recog.stages.recognizer import load_recognizer
    from sign_recog.storage.checkpoint import read_checkpoint

    config = trained("run=classify", *FEW)
    own = load_recognizer(read_checkpoint(Path(config.paths.run_dir) / "checkpoints" / "best.ckpt"), config.trainer)
    folder = tmp_path / "data/tiny/keypoints/mediapipe_holistic"
    short, long = sorted((own.reader.read(folder / f"up/{i}.npz") for i in (0, 1, 2)), key=len)[::2]
    alone, beside = pad([short]), pad([short, np.tile(long, (3, 1))])
    with torch.inference_mode():
        a, b = (
            own.network(torch.from_numpy(padded), padding_mask(lengths))["gloss_logits"]
            for padded, lengths in (alone, beside)
        )
    torch.testing.assert_close(a[0], b[0], atol=1e-5, rtol=1e-5)


SMALL = {
    "conv_transformer": ["model.d_model=8", "model.num_heads=2", "model.ffn_dim=16"],
    "transformer": ["model.d_model=8", "model.num_heads=2", "model.ffn_dim=16", "model.num_layers=2"],
    "gru": [],
    "ptn": ["model.d_model=8", "model.num_heads=2", "model.ffn_dim=16", "model.num_layers=2"],
    "poseformer": ["model.d_model=8", "model.num_heads=2", "model.ffn_dim=16", "model.num_layers=2"],
}


@pytest.mark.parametrize("model", SMALL)
def test_s0_embeddings_have_right_axes_for_every_network(model, tmp_path):
    """S0 took the first axis for the batch, which was time in its PTN."""
    settings = ("data=manifest", "data.source=unused", "modality=features", "augment=none")
    config = load_config(*settings, f"model={model}", *SMALL[model])
    path = write_untrained(tmp_path / "a.ckpt", config, input_dim=7, glosses="abcde", categories="xy")
    recognizer = load_recognizer(read_checkpoint(path), config.trainer)
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=(length, 7)).astype(np.float32) for length in (5, 16, 1)]

    def recognize(clips):
        return recognizer.recognize(clips, language=None, embeddings=["spatial", "temporal", "cls"])

    together = recognize(clips)
    for clip, found in zip(clips, together, strict=True):
        assert found["spatial"].shape[0] == found["temporal"].shape[0] == len(clip)
        assert found["spatial"].ndim == found["temporal"].ndim == 2 and found["cls"].ndim == 1
        (alone,) = recognize([clip])
        for name, values in found.items():
            assert values.dtype == np.float32 and values.shape == alone[name].shape
            np.testing.assert_allclose(values, alone[name], atol=1e-5, err_msg=name)
        # The clip's vector is what the heads read.
        with torch.inference_mode():
            logits = recognizer.network.heads(torch.from_numpy(found["cls"])[None])
        np.testing.assert_allclose(logits["gloss_logits"].softmax(1)[0].numpy(), found["gloss"], atol=1e-6)
        np.testing.assert_allclose(logits["category_logits"].softmax(1)[0].numpy(), found["category"], atol=1e-6)
    # Row t belongs to frame t: a change of the last frame leaves rows beyond PoseFormer's filters' reach (10) alone.
    changed = clips[1].copy()
    changed[-1] += 1
    difference = np.abs(recognize([changed])[0]["spatial"] - together[1]["spatial"]).max(1)
    assert difference[-1] > 1e-3 and (difference[: -1 - 10] < 1e-5).all()


def keypoint_checkpoint(tiny, tmp_path) -> str:
    path = write_untrained(tmp_path / "k.ckpt", tiny(), input_dim=137, glosses=["across", "round", "up"])
    return f"run.checkpoint={path}"


def test_embeddings_are_written_the_same_whatever_the_batch(tiny, tmp_path):
    checkpoint = keypoint_checkpoint(tiny, tmp_path)
    kinds = ["spatial", "temporal", "cls", "probabilities"]
    asked = f"run.embeddings=[{','.join(kinds)}]"
    source = tmp_path / "data/tiny/keypoints/mediapipe_holistic/up"
    for size in (1, 3):
        predict(tiny, source, tmp_path / str(size), checkpoint, asked, f"run.batch_size={size}")
    lengths = {p.stem: len(np.load(p)["timestamps_ms"]) for p in source.glob("*.npz")}
    assert len(set(lengths.values())) > 2
    for clip, length in lengths.items():
        for kind in kinds:
            one, three = (np.load(tmp_path / size / f"{clip}.{kind}.npy", allow_pickle=False) for size in "13")
            shape = {"spatial": (length, 16), "temporal": (length, 16), "cls": (16,), "probabilities": (3,)}[kind]
            assert one.shape == shape and one.dtype == np.float32
            np.testing.assert_allclose(one, three, atol=1e-5)
        answer = json.loads((tmp_path / f"1/{clip}.json").read_text())
        glosses = json.loads((tmp_path / "1/labels.json").read_text())["glosses"]
        best = one.argmax()
        assert answer["glosses"][0] == {"gloss": glosses[best], "probability": pytest.approx(float(one[best]))}


def test_nothing_more_than_asked_is_written(tiny, tmp_path):
    checkpoint = keypoint_checkpoint(tiny, tmp_path)
    predict(tiny, tmp_path / "data/tiny/keypoints/mediapipe_holistic/up/7.npz", tmp_path / "out", checkpoint)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["7.json"]


def test_an_unknown_embedding_is_refused(tiny):
    with pytest.raises(ConfigError, match=r"run.embeddings names CLS. Use some of spatial, temporal, cls"):
        tiny("run=predict", "run.input=x.mp4", "run.embeddings=[CLS]")


def test_a_language_is_asked_for_where_there_are_several_and_refused_where_there_is_one(tiny, tmp_path):
    source = tmp_path / "data/tiny/keypoints/mediapipe_holistic/up/7.npz"
    config = tiny()
    known = {"input_dim": 137, "glosses": ["up", "round", "across"]}
    many = write_untrained(tmp_path / "many.ckpt", config, **known, languages=["ISL", "NGT"])
    one = write_untrained(tmp_path / "one.ckpt", config, **known)

    def answer(checkpoint, *overrides):
        name = "-".join(overrides).replace("run.language=", "")
        predict(tiny, source, tmp_path / name, f"run.checkpoint={checkpoint}", *overrides)
        return json.loads((tmp_path / name / "7.json").read_text())

    with pytest.raises(CheckpointError, match="knows the languages ISL, NGT, and None is none of them"):
        answer(many)
    with pytest.raises(CheckpointError, match="'VGT' is none of them"):
        answer(many, "run.language=VGT")
    with pytest.raises(CheckpointError, match=r"one language, so run.language=NGT has no effect"):
        answer(one, "run.language=NGT")
    first, second = answer(many, "run.language=ISL"), answer(many, "run.language=NGT")
    assert first["language"] == "ISL" and first["glosses"] != second["glosses"]


def features_checkpoint(tiny, tmp_path, **record) -> Path:
    config = tiny("modality=features", "augment=none", "extractor=inception_v3")
    return write_untrained(tmp_path / "f.ckpt", config, input_dim=6, glosses=["a", "b"], **record)


def write_feature_file(path: Path, dim: int, **meta) -> None:
    values = np.random.default_rng(1).normal(size=(9, dim)).astype(np.float32)
    write_features(path, FeatureSequence(values, np.arange(9) * 40, meta))


def test_feature_files_are_recognised_and_others_than_the_networks_are_listed(tiny, tmp_path):
    checkpoint = features_checkpoint(tiny, tmp_path)
    write_feature_file(tmp_path / "in/good.npz", 6)
    write_feature_file(tmp_path / "in/wide.npz", 7)
    summary = predict(tiny, tmp_path / "in", tmp_path / "out", f"run.checkpoint={checkpoint}").summary
    assert (summary["recognised"], summary["failed"]) == (1, 1)
    assert json.loads((tmp_path / "out/good.json").read_text())["frames"] == 9
    assert "holds 7 values a frame, and" in (tmp_path / "out/failed.tsv").read_text()


def test_features_made_in_another_way_are_refused(tiny, tmp_path):
    checkpoint = features_checkpoint(tiny, tmp_path, extraction={"weights": "abc"})
    write_feature_file(tmp_path / "a.npz", 6, extraction={"weights": "xyz"})
    with pytest.raises(CheckpointError, match="was extracted as"):
        predict(tiny, tmp_path / "a.npz", tmp_path / "out", f"run.checkpoint={checkpoint}")


def write_clip(path: Path, num_frames: int = 7) -> Path:
    from sign_recog.video.writer import write_video

    rng = np.random.default_rng(num_frames)
    write_video(path, (rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(num_frames)), 25)
    return path


class ColourFeatures:
    """An extractor of features: each frame's mean colours, twice."""

    def extract(self, path: Path) -> FeatureSequence:
        from sign_recog.video.reader import read_frames

        values = np.stack([frame.image.mean((0, 1)) for frame in read_frames(path)]).astype(np.float32)
        return FeatureSequence(np.hstack([values, values]), np.arange(len(values)) * 40)


def test_a_video_goes_through_the_checkpoints_feature_extractor(tiny, tmp_path, monkeypatch):
    checkpoint = features_checkpoint(tiny, tmp_path)
    write_clip(tmp_path / "a.mp4")
    seen = []
    monkeypatch.setattr("sign_recog.stages.inputs.build", lambda node: seen.append(node) or ColourFeatures())
    predict(tiny, tmp_path / "a.mp4", tmp_path / "out", f"run.checkpoint={checkpoint}")
    assert seen[0]["_target_"].endswith("InceptionV3Extractor")
    assert json.loads((tmp_path / "out/a.json").read_text())["frames"] == 7
    assert num_frames_of(tmp_path / "out/a.mp4") == 7  # with its label


def num_frames_of(path: Path) -> int:
    from sign_recog.video.reader import read_frames

    return sum(1 for _ in read_frames(path))


def test_videos_go_straight_to_a_network_over_frames(tiny, tmp_path):
    pytest.importorskip("cv2", reason="OpenCV cannot be loaded; see the README on libGL", exc_type=ImportError)
    config = tiny(
        "modality=rgb", "augment=none", "model=vtn", "model.d_model=16", "model.num_layers=1", "model.num_heads=2",
        "modality.num_frames=4", "modality.image_size=32", "modality/sampler=consecutive", "modality.pad=null",
    )  # fmt: skip
    checkpoint = write_untrained(tmp_path / "rgb.ckpt", config, input_dim=3, glosses=["a", "b", "c"])
    (tmp_path / "in").mkdir()
    for num_frames in (3, 12):
        write_clip(tmp_path / f"in/{num_frames}.mp4", num_frames)
    write_feature_file(tmp_path / "in/a.npz", 6)
    asked = (f"run.checkpoint={checkpoint}", "run.embeddings=[spatial]", "run.overlay=false")
    summary = predict(tiny, tmp_path / "in", tmp_path / "out", *asked).summary
    assert (summary["recognised"], summary["failed"]) == (2, 1)
    assert "this network reads videos" in (tmp_path / "out/failed.tsv").read_text()
    shapes = [np.load(tmp_path / f"out/{n}.spatial.npy").shape for n in (3, 12)]
    assert shapes == [(2, 16), (4, 16)]  # every second frame, at most 4


def cut_checkpoint(tiny, tmp_path: Path, *settings: str) -> Path:
    """Of an untrained network over frames whose training would have read small clips."""
    pytest.importorskip("cv2", reason="OpenCV cannot be loaded; see the README on libGL", exc_type=ImportError)
    config = tiny(
        "modality=rgb", "augment=none", "model=vtn", "model.d_model=16", "model.num_layers=1", "model.num_heads=2",
        "modality.num_frames=4", "modality.image_size=32", *settings,
    )  # fmt: skip
    return write_untrained(tmp_path / "rgb.ckpt", config, input_dim=3, glosses=["a", "b", "c"])


def read_inputs(checkpoint: Path, *paths: Path) -> list[np.ndarray]:
    """What the checkpoint's network is given of videos."""
    trainer = load_config("run=evaluate", "trainer.accelerator=cpu").trainer
    read = InputReader(load_recognizer(read_checkpoint(checkpoint), trainer))
    return [read(path).frames for path in paths]


def test_a_video_is_cut_to_the_pose_as_the_training_clips_were(tiny, tmp_path, monkeypatch):
    """Beside prepare's own path: the network gets the same frames of the original as of the small clip."""
    checkpoint = cut_checkpoint(tiny, tmp_path, "data.clip_size=32", "data.crop=pose")
    original = write_clip(tmp_path / "a.mp4", 12)
    monkeypatch.setattr("sign_recog.stages.clip_encoder._around_pose", lambda task, width, height: (30, 4, 64, 44))
    small = make_small_clips(
        [Clip("a", video="a.mp4", split="test")], tmp_path, tmp_path, clip_size=32, crop=Crop.pose, num_workers=0
    )
    trained_on = small.folder / small.files["a"]
    of_original, of_small = read_inputs(checkpoint, original, trained_on)
    np.testing.assert_array_equal(of_original, of_small)  # and the small clip is not cut once more
    plain = cut_checkpoint(tiny, tmp_path, "data.clip_size=32")
    np.testing.assert_array_equal(read_inputs(plain, trained_on)[0], of_original)
    assert np.abs(read_inputs(plain, original)[0].astype(float) - of_original).mean() > 10


def test_a_video_without_a_pose_is_read_whole_and_named(tiny, tmp_path, monkeypatch, caplog):
    checkpoint = cut_checkpoint(tiny, tmp_path, "data.clip_size=32", "data.crop=pose")
    monkeypatch.setattr("sign_recog.stages.clip_encoder._around_pose", lambda task, width, height: None)
    (frames,) = read_inputs(checkpoint, write_clip(tmp_path / "a.mp4"))
    assert frames.shape == (4, 3, 32, 32) and "a.mp4: no pose is detected (data.crop=pose)" in caplog.text
    (tmp_path / "b.mp4").write_text("no video")
    with pytest.raises(DataError, match=r"b\.mp4"):
        read_inputs(checkpoint, tmp_path / "b.mp4")


def test_a_network_of_annotated_boxes_says_once_that_new_videos_have_none(tiny, tmp_path, caplog):
    checkpoint = cut_checkpoint(tiny, tmp_path, "data.clip_size=32", "data.crop=annotation")
    for name in "ab":
        write_clip(tmp_path / f"in-{name}.mp4", 9)
    paths = [tmp_path / "in-a.mp4", tmp_path / "in-b.mp4"]
    found = read_inputs(checkpoint, *paths)
    (said,) = [record.getMessage() for record in caplog.records if "data.crop" in record.getMessage()]
    assert "data.crop=annotation" in said and "whole picture is read" in said
    whole = read_inputs(cut_checkpoint(tiny, tmp_path), *paths)
    np.testing.assert_array_equal(found, whole)


def test_where_to_compute_is_a_setting(trained, monkeypatch):
    """The GPU was taken whenever there was one."""
    checkpoint = Path(trained("run=classify", *FEW).paths.run_dir) / "checkpoints" / "best.ckpt"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    config = load_config("run=evaluate", "trainer.accelerator=cpu")
    assert load_recognizer(read_checkpoint(checkpoint), config.trainer).device == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"trainer\.accelerator=gpu, but torch finds none"):
        load_recognizer(read_checkpoint(checkpoint), load_config("run=evaluate", "trainer.accelerator=gpu").trainer)
