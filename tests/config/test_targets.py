"""The settings of networks, augmentations and readers are those that their signatures name."""

import inspect

import pytest
from hydra.utils import get_object

from sign_recog import cli, config
from sign_recog.config.preflight import check_command
from sign_recog.config.targets import parameters, unknown_arguments
from sign_recog.errors import ConfigError

TARGETS = (
    "sign_recog.models.gru.SignGRU", "sign_recog.models.transformer.SignTransformer", "sign_recog.models.vtn.VTN",
    "sign_recog.landmarks.augment.Mirror", "sign_recog.landmarks.augment.PartAffine",
    "sign_recog.landmarks.layout.get_layout", "sign_recog.corpora.fsl105.read",
    "sign_recog.training.optimizers.build_optimizer",
)  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_the_source_says_what_the_object_takes(target):
    taken = inspect.signature(get_object(target)).parameters.values()
    found = parameters(target)
    assert found is not None and sorted(found) == sorted(p.name for p in taken)


def test_nodes_within_nodes_are_looked_at():
    node = {"first": {"_target_": "sign_recog.landmarks.augment.Jitter", "sigma": 1, "q": 1, "_partial_": True}}
    assert [text.split(":")[0] for text in unknown_arguments("augment", [node])] == ["augment.0.first.q=1"]
    assert list(unknown_arguments("x", {"_target_": "torch.optim.AdamW", "nonsense": 1})) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("+model.drop_p=0.5", "model.drop_p=0.5: sign_recog.models.conv_transformer"),
        ("+augment.jitter.sgima=0.1", "Did you mean augment.jitter.sigma?"),
        ("+scheduler.warm_up=5", "scheduler.warm_up=5: there is no such key"),
        ("scheduler.warmup_epoch=5", "Did you mean scheduler.warmup_epochs"),
        ("model.num_stage=3", "Did you mean model.num_stages"),
        ("augment.mirror.q=1", "augment.mirror.q=1: there is no such key"),
    ],
)
def test_s2_unknown_keys_of_scheduler_network_and_augmentation_are_refused(given, said):
    """S2's configuration refused unknown keys, but not within these three sections."""
    config.register_schemas()
    with pytest.raises(ConfigError) as caught:
        check_command([given], cli.CONF_DIR)
    assert said in str(caught.value)


def test_an_augmentation_of_ones_own_is_still_taken():
    config.register_schemas()
    own = "+augment.turn={_target_:sign_recog.landmarks.augment.Affine,degrees:9,log_scale:0.0,shear:0.0}"
    check_command([own], cli.CONF_DIR)
