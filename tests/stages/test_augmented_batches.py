"""Augmentation as training has it: every change and every setting of conf/augment/ reaches the batches.

This file: changes of points and features.
"""

import dataclasses
from copy import deepcopy
from functools import cache, reduce
from operator import getitem
from typing import Any

import numpy as np
import pytest
from conftest import TINY, load_config, write_tiny_corpus
from omegaconf import OmegaConf

from sign_recog import cli
from sign_recog.data.datamodule import with_inputs
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.stages.build import build_reader
from sign_recog.stages.classify import assemble
from sign_recog.stages.run_folder import prepared

FILES = {path.stem: OmegaConf.load(path) for path in sorted((cli.CONF_DIR / "augment").glob("*.yaml"))}
for option, changes in FILES.items():
    changes.pop("defaults", None)  # what another file says is tested there
    FILES[option] = OmegaConf.to_container(changes)
# changes of pictures are tested in test_augmented_frames.py
FILES = {option: changes for option, changes in FILES.items() if "sign_recog.video" not in str(changes)}
CHANGES = [(option, name) for option, changes in FILES.items() for name in changes]
DEPTH = [option for option, changes in FILES.items() if any("coordinates" in change for change in changes.values())]
LEFT, RIGHT = slice(50, 92), slice(92, 134)  # columns of signon_67: 25 points of the pose, then 21 a hand, x and y


def other_values() -> list[tuple[str, str, str, Any]]:
    """Every setting in conf/augment/ with a value that is not its own."""
    found = []
    for option, name in CHANGES:
        for key, value in [*FILES[option][name].items(), *FILES[option][name].get("affine", {}).items()]:
            place = f"affine.{key}" if key in FILES[option][name].get("affine", {}) else key
            if isinstance(value, list):
                found.append((option, name, place, (value[0],)))
            elif isinstance(value, int | float):
                found.append((option, name, place, 0 if key == "p" else value / 2 if value else 0.3))
    return found


@pytest.fixture(scope="module")
def clips_of(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    settings = (*TINY, f"paths.data_root={folder / 'data'}")
    configs = {
        option: load_config(*settings, f"augment={option}", f"modality.coordinates={3 if option in DEPTH else 2}")
        for option in FILES
    }
    write_tiny_corpus(configs["none"])
    corpus = prepared(configs["none"])
    train, _ = with_inputs(corpus, "train", build_reader(configs["none"].modality), "mediapipe_holistic")

    @cache
    def clips(option: str, name: str | None = None, place: str = "p", value: Any = 1) -> dict[str, np.ndarray]:
        """Clip -> its frames (T, D) in an epoch with the change ``name`` alone, made to every clip, as set."""
        config = configs[option]
        changes = {}
        if name is not None:
            changes[name] = {**deepcopy(config.augment[name]), "p": 1}
            *sections, key = place.split(".")
            reduce(getitem, sections, changes[name])[key] = value
        config = dataclasses.replace(config, augment=changes)
        _, loaders = assemble(config, corpus, {"train": train}, Vocabulary.from_clips(train))
        found = {}
        for batch in loaders["train"]:
            assert not batch["sequence"][batch["padding_mask"]].any()
            for clip, frames, mask in zip(batch["clip_id"], batch["sequence"], batch["padding_mask"], strict=True):
                found[clip] = frames[~mask].numpy()
        assert len(found) == 18
        return found

    return clips


def equal(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(first[clip], second[clip]) for clip in first)


@pytest.mark.parametrize(("option", "name"), CHANGES)
def test_s0_every_augmentation_changes_the_batch_and_leaves_no_nan(clips_of, option, name):
    """S0's hand dropout wrote to a copy, its shift in time left frames of NaN, five of its flags were not read."""
    plain, changed = clips_of(option), clips_of(option, name)
    assert not equal(plain, changed)
    for clip, frames in changed.items():
        assert np.isfinite(frames).all() and len(frames) and frames.shape[1] == plain[clip].shape[1]


@pytest.mark.parametrize(("option", "name", "place", "value"), other_values())
def test_s0_every_setting_of_an_augmentation_has_its_effect(clips_of, option, name, place, value):
    assert not equal(clips_of(option, name), clips_of(option, name, place, value))


@pytest.mark.parametrize("option", ["keypoints", "signon"])
def test_s0_hand_dropout_changes_the_batch(clips_of, option):
    """One hand of every clip is zero and said to be missing; the other, and the pose, are as they were."""
    plain, changed = clips_of(option), clips_of(option, "hand_dropout")
    dropped = []
    for clip, frames in changed.items():
        gone = [not frames[:, hand].any() for hand in (LEFT, RIGHT)]
        assert sum(gone) == 1 and plain[clip][:, LEFT].any() and plain[clip][:, RIGHT].any()
        own, kept = (LEFT, RIGHT) if gone[0] else (RIGHT, LEFT)
        assert not frames[:, [135, 136][own is RIGHT]].any()
        np.testing.assert_array_equal(frames[:, :50], plain[clip][:, :50])
        np.testing.assert_array_equal(frames[:, kept], plain[clip][:, kept])
        dropped.append(gone[0])
    assert 0 < sum(dropped) < 18


@pytest.mark.parametrize(("option", "name"), [("keypoints", "crop"), ("signon", "crop"), ("signon", "frame_drop")])
def test_s0_changes_of_time_keep_frames_whole_and_in_order(clips_of, option, name):
    """S0's shift of the hands in time moved all points; what is cut here is whole frames, and nothing else."""
    plain, changed = clips_of(option), clips_of(option, name)
    for clip, frames in changed.items():
        places = [np.flatnonzero((plain[clip] == frame).all(1)) for frame in frames]
        assert all(len(place) == 1 for place in places) and (np.diff(np.concatenate(places)) > 0).all()
