"""Pictures and their points go together, at any size, in any batch."""

import numpy as np
import pytest
import torch
from drawn_dots import centroids, write_dots

from sign_recog.data import labelled_frames
from sign_recog.data.labelled_frames import LabelledFrameDataset, build_frame_loader
from sign_recog.data.video_windows import open_windows
from sign_recog.errors import ConfigError, DataError
from sign_recog.video.labelled import Brightness, CoarseDropout, Flip, MotionBlur, Rotate, Scale, Shift
from sign_recog.video.scaling import mapped, scaled
from sign_recog.video.writer import write_video

MOVING = [Rotate(30), Scale(0.8, 1.2), Shift(0.1)]


def picture(batch, row):
    return batch["frames"][row].permute(1, 2, 0).numpy()


def dataset(frames, height=64, width=64, **changes):
    return LabelledFrameDataset(frames, height=height, width=width, **changes)


@pytest.mark.parametrize("size", [(64, 64), (40, 96), (96, 72), (120, 56)])
@pytest.mark.parametrize("augmentations", [[], [Flip()], MOVING, [Flip(), *MOVING, MotionBlur(5)]])
def test_the_points_are_where_the_dots_are(tmp_path, size, augmentations):
    frames = write_dots(tmp_path)
    height, width = size
    batch = dataset(frames, height, width, augmentations=augmentations).__getitems__([(3, i) for i in range(5)])
    mirrored = any(isinstance(one, Flip) for one in augmentations)
    seen = 0
    for row in range(5):
        found = centroids(picture(batch, row))
        if mirrored:
            found = found[[1, 0, 2]]  # what was drawn as left is the right one now
        points = batch["points"][row].numpy()
        near_edge = ~((points > 12) & (points < np.array([width, height]) - 12)).all(axis=1)
        seen += (~near_edge).sum()
        assert np.abs(found - points)[~near_edge].max(initial=0) < 0.12
    assert seen >= 8


def test_pictures_much_larger_than_the_networks_are_moved_as_exactly(tmp_path):
    frames = write_dots(tmp_path, sizes=[(300, 260), (170, 410)])
    for seed in range(3):
        batch = dataset(frames, augmentations=[Rotate(30)], seed=seed).__getitems__([(0, i) for i in range(5)])
        for row in range(5):
            assert np.abs(centroids(picture(batch, row)) - batch["points"][row].numpy()).max() < 0.2


def test_the_way_back_leads_to_the_labels(tmp_path):
    frames = write_dots(tmp_path, sizes=[(96, 80), (50, 70)])
    batch = dataset(frames, augmentations=MOVING).__getitems__([(0, i) for i in range(5)])
    for row in range(5):
        back = mapped(batch["points"][row].double().numpy(), batch["to_original"][row].double().numpy())
        known = ~np.isnan(back)
        assert known.sum() >= 4 and np.abs(back - frames.points[row])[known].max() < 1e-3


def test_without_augmentations_a_picture_is_scaled_and_nothing_else(tmp_path):
    from sign_recog.video.pictures import read_picture

    frames = write_dots(tmp_path, sizes=[(150, 90)])
    batch = dataset(frames, 64, 70).__getitems__([(0, 2)])
    expected = scaled(read_picture(frames.frames[2].image), 64, 70)
    # Of a picture more than twice as large, half the shrinking is done before it is held: two roundings.
    assert np.abs(picture(batch, 0).astype(int) - expected).max() <= 1
    assert batch["frames"].dtype == torch.uint8 and batch["points"].dtype == torch.float32


def test_pixel_changes_leave_the_points_alone(tmp_path):
    frames = write_dots(tmp_path)
    plain = dataset(frames).__getitems__([(0, 0)])
    changed = dataset(frames, augmentations=[Brightness(0.2, 0.3), CoarseDropout(3, 0.2)]).__getitems__([(0, 0)])
    assert torch.equal(plain["points"], changed["points"])
    assert not torch.equal(plain["frames"], changed["frames"])


def test_points_that_leave_the_picture_are_not_labelled(tmp_path):
    frames = write_dots(tmp_path)
    batch = dataset(frames, augmentations=[Scale(3.0, 3.0)]).__getitems__([(0, i) for i in range(5)])
    moved = mapped((frames.points + 0.5) * (64 / 96, 64 / 80) - 0.5 - 31.5, np.array([[3.0, 0, 31.5], [0, 3.0, 31.5]]))
    gone = ((moved < -0.5) | (moved > 63.5)).any(axis=-1)
    assert 0 < gone.sum() < gone.size
    assert np.array_equal(np.isnan(batch["points"].numpy()).all(axis=-1), gone)


def test_a_label_that_is_missing_stays_missing_also_in_a_mirror(tmp_path):
    frames = write_dots(tmp_path)
    frames.points[:, 0] = np.nan  # left
    batch = dataset(frames, augmentations=[Flip()]).__getitems__([(0, 0)])
    assert np.isnan(batch["points"][0].numpy()).any(axis=1).tolist() == [False, True, False]


def test_a_flip_without_knowing_left_and_right_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.swap_pairs"):
        dataset(write_dots(tmp_path, swap_pairs=()), augmentations=[Flip()])


def test_draws_follow_from_seed_epoch_and_picture_alone(tmp_path):
    frames = write_dots(tmp_path)
    first = dataset(frames, augmentations=MOVING, seed=1).__getitems__([(2, 3), (2, 1)])
    again = dataset(frames, augmentations=MOVING, seed=1).__getitems__([(2, 1), (2, 3)])
    assert torch.equal(first["frames"][0], again["frames"][1]) and torch.equal(first["points"][1], again["points"][0])
    other_epoch = dataset(frames, augmentations=MOVING, seed=1).__getitems__([(3, 3)])
    other_seed = dataset(frames, augmentations=MOVING, seed=2).__getitems__([(2, 3)])
    assert not torch.equal(first["points"][0], other_epoch["points"][0])
    assert not torch.equal(first["points"][0], other_seed["points"][0])


def test_neighbours_are_moved_as_their_picture_is(tmp_path):
    frames = write_dots(tmp_path, context=True)
    same = [frames.frames[2].image] * 5
    frames.frames[2] = frames.frames[2].__class__(**{**vars(frames.frames[2]), "context": tuple(same)})
    batch = dataset(frames, context=2, augmentations=[*MOVING, CoarseDropout(2, 0.2)]).__getitems__([(0, 2)])
    assert batch["frames"].shape == (1, 5, 3, 64, 64)
    assert all(torch.equal(batch["frames"][0, 0], batch["frames"][0, t]) for t in range(5))


def test_neighbours_stand_around_the_labelled_picture(tmp_path):
    frames = write_dots(tmp_path, context=True)
    alone = dataset(frames).__getitems__([(0, i) for i in range(5)])["frames"]
    for context, expected in ((2, [1, 2, 3, 4, 4]), (1, [2, 3, 4])):
        batch = dataset(frames, context=context).__getitems__([(0, 3)])
        assert torch.equal(batch["frames"][0], alone[expected])


def test_a_network_with_neighbours_needs_them(tmp_path):
    with pytest.raises(DataError, match=r'"f0" has no 2 neighbours.*data\.numbered'):
        dataset(write_dots(tmp_path), context=2)


def test_a_picture_that_has_changed_its_size_is_named(tmp_path):
    frames = write_dots(tmp_path)
    write_dots(tmp_path, sizes=[(60, 60)])
    with pytest.raises(DataError, match=r"img001\.png: is 60 x 60 pixels, and was 96 x 80"):
        dataset(frames).__getitems__([(0, 1)])


def test_pictures_are_kept_up_to_a_bound(tmp_path, monkeypatch):
    frames = write_dots(tmp_path)
    monkeypatch.setattr(labelled_frames, "HELD_BYTES", 3 * 96 * 80 * 3)
    small = dataset(frames)
    before = small.__getitems__([(0, i) for i in range(5)])["frames"]
    read = []
    original = labelled_frames.read_picture
    monkeypatch.setattr(labelled_frames, "read_picture", lambda path: read.append(path.name) or original(path))
    assert torch.equal(small.__getitems__([(0, i) for i in range(5)])["frames"], before)
    assert read == ["img003.png", "img004.png"]  # the first three are kept


def test_no_picture_is_kept_larger_than_twice_the_networks_size(tmp_path):
    one = dataset(write_dots(tmp_path, sizes=[(300, 100)]))
    one.__getitems__([(0, 0)])
    assert [held.shape for held in one._held.values()] == [(100, 128, 3)]


@pytest.mark.parametrize("num_frames", [1, 3, 4, 5])
@pytest.mark.parametrize("batch_size", [1, 2, 4, 7])
def test_s4_any_number_of_frames_goes_with_any_batch_size_and_its_video(tmp_path, num_frames, batch_size):
    frames = write_dots(tmp_path / "frames", num_frames=num_frames)
    write_video(tmp_path / "v.mp4", [np.full((80, 96, 3), 9 * i, np.uint8) for i in range(11)], 25)
    windows = open_windows(tmp_path, [tmp_path / "v.mp4"], height=64, width=64, window=6, most_frames=None)
    loader = build_frame_loader(dataset(frames), batch_size=batch_size, shuffle=True, seed=0, windows=windows, window=6)
    batches = list(loader)
    assert sorted(i for batch in batches for i in batch["index"]) == list(range(num_frames))
    assert {tuple(batch["video"].shape) for batch in batches} == {(6, 3, 64, 64)}
    assert {tuple(batch["video_to_original"].shape) for batch in batches} == {(2, 3)}


@pytest.mark.parametrize("size", [(96, 64), (160, 32), (33, 51)])
def test_s4_an_image_size_need_not_be_a_multiple_of_128(tmp_path, size):
    batch = dataset(write_dots(tmp_path), *size).__getitems__([(0, 0)])
    assert tuple(batch["frames"].shape) == (1, 3, *size)


def test_s4_frames_of_different_sizes_share_a_batch(tmp_path):
    frames = write_dots(tmp_path, sizes=[(96, 80), (70, 120), (200, 90)])
    batch = dataset(frames).__getitems__([(0, i) for i in range(5)])
    for row in range(5):
        assert np.abs(centroids(picture(batch, row)) - batch["points"][row].numpy()).max() < 0.06
    assert len({tuple(one.ravel().tolist()) for one in batch["to_original"]}) == 3


def test_windows_differ_between_batches_and_epochs_and_come_again(tmp_path):
    frames = write_dots(tmp_path / "frames", num_frames=4)
    write_video(tmp_path / "v.mp4", [np.full((80, 96, 3), 5 * i, np.uint8) for i in range(40)], 25)
    windows = open_windows(tmp_path, [tmp_path / "v.mp4"], height=32, width=32, window=2, most_frames=None)

    def firsts(epoch):
        loader = build_frame_loader(dataset(frames), batch_size=1, shuffle=False, seed=0, windows=windows, window=2)
        loader.batch_sampler.set_epoch(epoch)
        return [int(batch["video"][0].float().mean()) for batch in loader]

    assert firsts(0) == firsts(0) != firsts(1)
    assert len(set(firsts(0) + firsts(1))) >= 5


def test_loader_processes_give_the_same_batches(tmp_path):
    frames = write_dots(tmp_path / "frames")
    write_video(tmp_path / "v.mp4", [np.full((80, 96, 3), 9 * i, np.uint8) for i in range(20)], 25)
    windows = open_windows(tmp_path, [tmp_path / "v.mp4"], height=32, width=32, window=4, most_frames=None)
    made = [
        list(
            build_frame_loader(
                dataset(frames, augmentations=MOVING), batch_size=2, shuffle=True, seed=1, num_workers=number,
                windows=windows, window=4,
            )
        )
        for number in (0, 2)
    ]  # fmt: skip
    for one, other in zip(*made, strict=True):
        assert one["index"] == other["index"]
        for name in ("frames", "points", "to_original", "video", "video_to_original"):
            assert torch.equal(one[name].nan_to_num(-1), other[name].nan_to_num(-1))
