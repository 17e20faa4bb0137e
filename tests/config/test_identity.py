"""Runs share a folder exactly when the settings that decide their results are the same."""

import pytest
from hydra import compose, initialize_config_dir

from sign_recog import cli, config
from sign_recog.config import identity
from sign_recog.stages.run_folder import plain


def load(*overrides: str) -> config.Config:
    config.register_schemas()
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        return config.validate(compose("config", list(overrides)))


def test_the_folder_is_named_by_the_settings():
    loaded = load()
    expected = identity.settings_id(plain(loaded))
    assert loaded.paths.run_dir == f"outputs/synthetic/{expected}/seed1"


@pytest.mark.parametrize(
    "override",
    ["run=classify", "trainer.num_workers=2", "trainer.devices=2", "logger=tensorboard", "paths.data_root=x"],
)
def test_settings_without_effect_on_results_keep_the_folder(override):
    assert load(override).paths.run_dir == load().paths.run_dir


@pytest.mark.parametrize("override", ["optim.lr=1e-5", "model=gru", "data.split.seed=9", "modality.coordinates=3"])
def test_settings_with_effect_change_the_folder(override):
    assert load(override).paths.run_dir != load().paths.run_dir


def test_the_seed_changes_only_the_last_name():
    first, second = load("seed=1").paths.run_dir, load("seed=2").paths.run_dir
    assert first.rpartition("/")[0] == second.rpartition("/")[0] and first != second


def test_shards_of_an_extraction_have_a_folder_each_so_that_they_can_be_jobs_of_one_array():
    shards = [load("run=extract_keypoints", "run.num_shards=2", f"run.shard={i}").paths.run_dir for i in (0, 1)]
    assert shards == [f"{load().paths.run_dir}-shard{i}of2" for i in (0, 1)]


def test_the_order_of_steps_is_a_setting():
    changed = plain(load("modality=rgb", "model=vtn", "modality/sampler=chunked_wobble"))
    steps = changed["modality"]["sampler"]
    other = {**changed, "modality": {**changed["modality"], "sampler": dict(reversed(steps.items()))}}
    assert list(steps) == ["chunked", "wobble"]
    assert identity.settings_id(changed) != identity.settings_id(other)
