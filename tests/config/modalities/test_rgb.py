"""Settings of networks over frames: options of samplers, and what is refused."""

import numpy as np
import pytest
from conftest import load_config

from sign_recog.cli import CONF_DIR
from sign_recog.errors import ConfigError
from sign_recog.stages.build import build, build_reader, stored_reader
from sign_recog.stages.run_folder import plain
from sign_recog.video.samplers import Request

FRAMES = ("data=manifest", "data.source=x", "modality=rgb", "model=vtn")
SAMPLERS = sorted(path.stem for path in (CONF_DIR / "modality/sampler").glob("*.yaml"))
EVAL_SAMPLERS = sorted(path.stem for path in (CONF_DIR / "modality/eval_sampler").glob("*.yaml"))


def chosen(steps, rng=None):
    frames = np.arange(100)
    for step in steps:
        frames = step(frames, Request(100, 16, rng))
    return frames.tolist()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_chooses_the_frames_of_training_and_without_chance_those_of_test(sampler):
    reader = build_reader(load_config(*FRAMES, f"modality/sampler={sampler}").modality)
    drawn = {tuple(chosen(reader.sampler, np.random.default_rng(seed))) for seed in range(10)}
    assert {len(frames) for frames in drawn} == {16}
    assert len(drawn) > 1 or sampler == "uniform"
    assert [type(step) for step in reader.eval_sampler] == [type(step) for step in reader.sampler]


@pytest.mark.parametrize("sampler", [name for name in EVAL_SAMPLERS if name != "same"])
def test_validation_may_have_a_sampler_of_its_own(sampler):
    config = load_config(*FRAMES, "modality/sampler=chunked_wobble", f"modality/eval_sampler={sampler}")
    alone = load_config(*FRAMES, f"modality/sampler={sampler}")
    assert config.modality.eval_sampler == alone.modality.sampler
    assert set(config.modality.sampler) == {"chunked", "wobble"}


def test_a_step_of_ones_own_joins_a_sampler_on_the_command_line():
    added = "+modality.sampler.reverse._target_=sign_recog.video.samplers.Reverse"
    reader = build_reader(load_config(*FRAMES, "modality/sampler=uniform", added).modality)
    assert chosen(reader.sampler)[:2] == [99, 92]


def test_speed_comes_before_the_step_that_chooses():
    """After it, the frames would be repeated ones of 16 instead of others of the clip."""
    reader = build_reader(load_config(*FRAMES, "modality/sampler=speed").modality)
    spans = [np.ptp(chosen(reader.sampler, np.random.default_rng(seed))) for seed in range(50)]
    assert min(spans) < 27 and max(spans) > 33  # 30 at its own speed


def test_a_checkpoints_settings_give_the_same_reader():
    config = load_config(*FRAMES, "modality/sampler=focal_normal", "modality.pad=loop", "modality.fit=pad")
    again = stored_reader(plain(config)["modality"])
    assert again.modality == config.modality and again.sampler == build_reader(config.modality).sampler


@pytest.mark.parametrize("option", sorted(path.stem for path in (CONF_DIR / "augment").glob("rgb*.yaml")))
def test_every_change_of_pictures_can_be_built(option):
    assert all(callable(build(node).happens) for node in load_config(*FRAMES, f"augment={option}").augment.values())


def test_every_wrong_value_is_named():
    wrong = ("num_frames=0", "image_size=16", "resize=8", "target_fps=0")
    with pytest.raises(ConfigError) as raised:
        load_config(*FRAMES, *(f"modality.{setting}" for setting in wrong))
    assert all(f"modality.{setting.split('=')[0]}=" in str(raised.value) for setting in wrong)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("modality.pad=mirror",), "mirror"),
        (("modality.fit=squeeze",), "squeeze"),
        (("~modality.sampler.chunked",), r"modality\.sampler holds no step"),
        (("+modality.sampler.wobble=4",), r"modality\.sampler: wobble names no class"),
        (("augment=keypoints", "modality/sampler=uniform"), "layout"),
        (("augment=features",), "these augmentations change points: jitter, time_mask"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, message):
    with pytest.raises(Exception, match=message):
        load_config(*FRAMES, *settings)


@pytest.mark.parametrize("modality", ["keypoints", "features"])
def test_pictures_cannot_be_changed_where_there_are_none(modality):
    extractor = {"features": ["extractor=inception_v3"]}.get(modality, [])
    with pytest.raises(ConfigError, match=f"modality={modality} reads no pictures, .*: crop, flip"):
        load_config("data=manifest", "data.source=x", f"modality={modality}", *extractor, "augment=rgb")


def test_values_of_a_step_without_sense_are_named():
    config = load_config(*FRAMES, "modality/sampler=consecutive", "modality.sampler.consecutive.stride=0")
    with pytest.raises(ConfigError, match=r"modality\.sampler: Consecutive: stride=0 must be at least 1"):
        build_reader(config.modality)


def test_a_network_over_keypoints_is_refused_before_anything_is_read():
    with pytest.raises(ConfigError, match="modality=rgb gives frames, and this network reads keypoints"):
        load_config("data=manifest", "data.source=x", "modality=rgb")
