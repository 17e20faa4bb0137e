"""Settings of a training that do not go together."""

import pytest
from conftest import TINY, load_config

from sign_recog.errors import ConfigError

LAST = ("trainer.select=last", "trainer.early_stopping.enabled=false")


def test_training_on_val_needs_an_end_that_val_does_not_decide():
    with pytest.raises(ConfigError) as caught:
        load_config(
            *TINY, "trainer.train_on_val=true", "scheduler=plateau", "transfer.freeze_until_convergence=true",
            "transfer.freeze_parts=[projection]", "transfer.checkpoint=x.ckpt",
        )  # fmt: skip
    text = str(caught.value)
    for remedy in (
        "Use trainer.select=last", "Use trainer.early_stopping.enabled=false", "Use scheduler=warmup_cosine",
        "transfer.freeze_until_convergence=true goes by val_loss",
    ):  # fmt: skip
        assert remedy in text
    assert load_config(*TINY, "trainer.train_on_val=true", *LAST).trainer.train_on_val


def test_a_mode_that_takes_the_worst_for_the_best_is_refused():
    """trainer.monitor=val_gloss_acc alone left the mode at min: best.ckpt was the least accurate."""
    with pytest.raises(ConfigError) as caught:
        load_config(
            *TINY, "trainer.monitor=val_gloss_acc", "trainer.early_stopping.metric=val_gloss_acc",
            "scheduler=plateau", "scheduler.monitor=val_loss", "scheduler.mode=max",
        )  # fmt: skip
    text = str(caught.value)
    for remedy in ("Use trainer.monitor_mode=max", "Use trainer.early_stopping.mode=max", "Use scheduler.mode=min"):
        assert remedy in text
    config = load_config(*TINY, "trainer.monitor=val_gloss_acc", "trainer.monitor_mode=max", "scheduler=plateau")
    assert config.scheduler.mode == "max"


def test_seeds_that_no_generator_takes_are_refused():
    with pytest.raises(ConfigError, match=r"(?s)data.split.seed=-2 must be 0.*\bseed=-1 must lie between 0"):
        load_config(*TINY, "seed=-1", "data.split.seed=-2")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("trainer.devices=many",), r"trainer\.devices=many is no number. Use 1, another number, or auto"),
        (("trainer.devices=0",), r"trainer\.devices=0 must be at least 1"),
        (("trainer.devices=9", "trainer.batch_size=8"), r"trainer\.devices=9 .* at most trainer\.batch_size=8"),
        (
            ("trainer.devices=2", "loss.category_weight=1", "loss/weighting=gradnorm"),
            r"loss/weighting=gradnorm measures .* Use trainer\.devices=1",
        ),
        (
            (
                "trainer.devices=auto",
                "loss.category_weight=1",
                "loss/weighting=curriculum",
                "loss.weighting.order=dynamic",
            ),
            r"loss\.weighting\.order=dynamic .* trainer\.devices=auto .* Use trainer\.devices=1",
        ),
    ],
)
def test_devices_that_cannot_share_a_training_are_refused(overrides, words):
    with pytest.raises(ConfigError, match=words):
        load_config("run=classify", *overrides)


def test_devices_may_be_a_number_or_auto():
    assert load_config("trainer.devices=2").trainer.devices == 2
    assert load_config("trainer.devices=auto").trainer.devices == "auto"
    assert load_config("loss.category_weight=1", "loss/weighting=uncertainty", "trainer.devices=4").trainer.devices == 4
