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
