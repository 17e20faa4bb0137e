"""What a step minimises, what an evaluation says, unlabelled frames, and pictures for TensorBoard."""

import csv
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from small_pose import LANDMARKS, SCALE, SIZE, Dots, SmallPose, pose_settings, small_tracker
from small_pose_distributed import fixed_norms, train

from sign_recog.models.pose import RegressionTracker
from sign_recog.training.loggers import tensorboard
from sign_recog.training.memory_probe import Shape, made_batch
from sign_recog.training.pose_pictures import Picture
from sign_recog.training.processes import run_in_processes

ALL_ON = {
    "losses__temporal__enabled": True, "losses__temporal__epsilon": 0.0, "losses__temporal__min_confidence": 0.0,
    "losses__pca_singleview__enabled": True, "losses__pca_singleview__epsilon": 0.0,
    "losses__pca_multiview__enabled": True, "anneal_from": 0,
}  # fmt: skip


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "metrics.csv").open()))


def test_a_tracker_learns_where_the_dots_are(tmp_path):
    """To 5 pixels of the input, and a guess is 10 off."""
    SmallPose(tmp_path, pose_settings(heatmap_loss="kl"), num_frames=16, max_epochs=18, batch_size=8).fit()
    assert float(rows(tmp_path)[-1]["val_pixel_error"]) < 5 * SCALE


def test_a_regression_tracker_learns_too(tmp_path):
    torch.manual_seed(0)
    network = RegressionTracker(
        num_landmarks=2, height=SIZE, width=SIZE, backbone="test_resnet", weights=None, dropout=0.0
    )
    SmallPose(tmp_path, network=network, num_frames=16, max_epochs=12, batch_size=8).fit()
    table = rows(tmp_path)
    assert float(table[-1]["train_loss"]) < 0.7 * float(table[0]["train_loss"])


def test_the_pixel_error_of_an_evaluation_is_that_of_a_table_by_hand(tmp_path):
    """Mean over the labelled landmarks of val of the distance in original pixels, whatever the batches."""
    training = SmallPose(tmp_path, max_epochs=1).fit()
    data = Dots(5, seed=2)
    network = training.network.eval()
    distances = []
    for i in range(5):
        batch = data.__getitems__([(0, i)])
        with torch.no_grad():
            points, _ = network.decode(network(batch["frames"]))
        for v in range(2):
            label = data.labels[i, v] * SCALE + 1
            if np.isfinite(label).all():
                distances.append(math.dist((points[0, v] * SCALE + 1).tolist(), label.tolist()))
    assert len(distances) == 8  # of ten, two have no label
    assert float(rows(tmp_path)[0]["val_pixel_error"]) == pytest.approx(np.mean(distances), rel=1e-4)


def test_every_label_of_a_step_counts_the_same_whatever_the_batches(tmp_path):
    """One step of all 10 frames as 1 batch, and as 4 + 4 + 2."""
    found = {}
    for name, size, accumulate in (("one", 10, 1), ("several", 4, 3)):
        network, sizes = fixed_norms(small_tracker()), {"batch_size": size, "accumulate": accumulate, "max_epochs": 1}
        training = SmallPose(tmp_path / name, network=network, sgd=True, lr=0.05, **sizes).fit()
        found[name] = training.weights()
    for key, value in found["one"].items():
        torch.testing.assert_close(found["several"][key], value, atol=1e-5, rtol=1e-4)
    first, second = (rows(tmp_path / name)[0] for name in found)
    for column in ("train_loss", "train_pixel_error", "val_loss", "val_pixel_error"):
        assert float(second[column]) == pytest.approx(float(first[column]), rel=1e-3)


@pytest.mark.slow
def test_two_processes_do_what_one_does_also_when_the_backbone_begins_to_learn(tmp_path):
    """Of weights, to rounding, and of every figure of the evaluations, in which each frame counts once."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    train(tmp_path / "one")
    run_in_processes(partial(train, tmp_path / "two"), 2, cuda=False)
    one, two = (torch.load(tmp_path / name / "checkpoints/last.ckpt", weights_only=True) for name in ("one", "two"))
    for key, value in one["state_dict"].items():
        torch.testing.assert_close(two["state_dict"][key], value, atol=1e-5, rtol=1e-4)
    for first, second in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        for column in ("train_loss", "train_pixel_error", "val_loss", "val_pixel_error"):
            assert float(second[column]) == pytest.approx(float(first[column]), rel=1e-3)


@pytest.mark.parametrize("context", [0, 2])
def test_s4_losses_of_unlabelled_frames_need_no_gpu(tmp_path, context):
    network = small_tracker(context)
    training = SmallPose(tmp_path, pose_settings(**ALL_ON), network=network, video=4 + 2 * context, max_epochs=2).fit()
    assert training.module.device.type == "cpu"
    for row in rows(tmp_path):
        for name in ("train_temporal", "train_pca_singleview", "train_pca_multiview"):
            assert math.isfinite(float(row[name]))
        assert float(row["train_temporal"]) > 0


def test_losses_of_unlabelled_frames_change_the_weights_once_they_count(tmp_path):
    """Until then the training is that without them, to the bit."""
    plain = SmallPose(tmp_path / "plain", max_epochs=2).fit().weights()
    for name, start, same in (("later", 2, True), ("now", 1, False)):
        pose = pose_settings(**ALL_ON | {"anneal_from": start, "losses__temporal__log_weight": -3.0})
        other = SmallPose(tmp_path / name, pose, video=4, max_epochs=2).fit().weights()
        assert all(torch.equal(plain[key], other[key]) for key in plain) == same
        assert bool(rows(tmp_path / name)[-1]["train_temporal"]) != same


def test_the_temporal_loss_makes_predictions_of_a_video_calmer(tmp_path):
    def steps(weight):
        pose = pose_settings(
            losses__temporal__enabled=True, losses__temporal__epsilon=0.0, losses__temporal__min_confidence=0.0,
            losses__temporal__log_weight=weight, anneal_from=0, anneal_step=1.0,
        )  # fmt: skip
        training = SmallPose(tmp_path / f"{weight}", pose, video=5, max_epochs=10, num_frames=4).fit()
        return float(rows(training.folder)[-1]["train_temporal"])

    assert steps(-3.0) < 0.6 * steps(20.0)


@pytest.mark.parametrize("stop", [1, 2])
def test_a_training_that_was_stopped_goes_on_as_if_it_was_not(tmp_path, stop):
    pose = pose_settings(**ALL_ON | {"anneal_from": 1})
    whole = SmallPose(tmp_path / "whole", pose, video=4, max_epochs=3).fit()
    parts = SmallPose(tmp_path / "parts", pose, video=4, max_epochs=3)
    parts.trainer.fit_loop.max_epochs = stop
    parts.fit()
    resumed = SmallPose(tmp_path / "parts", pose, video=4, max_epochs=3).fit()
    other = resumed.weights()
    assert all(torch.equal(value, other[name]) for name, value in whole.weights().items())
    assert [r["val_pixel_error"] for r in rows(tmp_path / "parts")] == [
        r["val_pixel_error"] for r in rows(tmp_path / "whole")
    ]


def test_a_probe_has_all_losses_and_counts_nothing(tmp_path):
    training = SmallPose(tmp_path, pose_settings(**ALL_ON), video=4)
    batch = next(iter(training.loaders["train"]))
    loss = training.module.probe_loss(batch)
    loss.backward()
    assert torch.isfinite(loss) and training.module._totals == {}


def test_tensorboard_gets_pictures_of_every_evaluation(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    SmallPose(tmp_path, loggers=[tensorboard(tmp_path)], max_epochs=2).fit()
    events = EventAccumulator(str(tmp_path / "tb"), size_guidance={"images": 0}).Reload()
    assert set(events.Tags()["images"]) == {f"val/{i}" for i in range(4)}
    shown = events.Images("val/0")
    assert [image.step for image in shown] == [3, 6] and (shown[0].width, shown[0].height) == (2 * SIZE, 2 * SIZE)


def test_a_picture_shows_where_a_landmark_is_found_and_a_line_to_its_label():
    frame = np.zeros((3, SIZE, SIZE), np.uint8)
    labels, found = np.array([[20.0, 8.0], [np.nan, np.nan]]), np.array([[8.0, 8.0], [12.0, 25.0]])
    image = Picture(0, frame, labels, found).drawn(LANDMARKS)
    assert image.shape == (2 * SIZE, 2 * SIZE, 3)
    for x, y in found:
        assert image[round(2 * y), round(2 * x)].any()
    assert (image[16:18, 30:40] == 255).all(axis=2).any(axis=0).all()  # of the line
    assert not image[40:, 40:].any()


def test_the_memory_probe_makes_batches_of_pictures(tmp_path):
    """Of one picture; a batch has one window of a video, however many pictures."""
    data = Dots(5, seed=1, video=4)
    batch = made_batch(data.__getitems__([(0, 1)]), Shape(3, 1, 0))
    assert {name: len(value) for name, value in batch.items()} == {
        "frames": 3, "points": 3, "to_original": 3, "index": 3, "clip_id": 3, "video": 4, "video_to_original": 2,
    }  # fmt: skip
    training = SmallPose(tmp_path, pose_settings(**ALL_ON), video=4)
    assert torch.isfinite(training.module.probe_loss(batch))
