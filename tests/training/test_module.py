"""The training step with every choice of loss, weighting, optimiser and schedule, logged and resumed."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, load_config, write_tiny_corpus

from sign_recog import cli, stages
from sign_recog.config import register_schemas
from sign_recog.config.preflight import check_command
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import ConfigError
from sign_recog.stages.run_folder import prepared
from sign_recog.storage import checkpoint
from sign_recog.training.module import SignClassifier

SHORT = ("run=classify", "trainer.max_epochs=1", "trainer.batch_size=6", "loss.category_weight=0.5")
CHOICES = [
    f"{group}={path.stem}"
    for group in ("loss", "loss/weighting", "optim", "scheduler")
    for path in sorted((cli.CONF_DIR / group).glob("*.yaml"))
]
SETTINGS = [
    "loss.class_weights=balanced",
    "loss.class_weights=sqrt",
    "loss.bias_prior=true",
    "loss.regularizers=[{part:projection,norm:l1,weight:1e-3},{part:heads.gloss,norm:l2,weight:1e-2}]",
    "+optim.groups={heads:{lr:1e-2,weight_decay:0}}",
]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "epoch_time_s"} for row in csv.DictReader(file)]


def last(folder: Path) -> dict[str, Any]:
    return checkpoint.load(folder / "checkpoints" / "last.ckpt")


# The defaults.
ALIKE = (
    "loss=cross_entropy", "loss/weighting=static", "optim=adamw", "scheduler=warmup_cosine",
)  # fmt: skip


@pytest.fixture(scope="module")
def default_weights(tmp_path_factory) -> dict[str, torch.Tensor]:
    """Where an epoch with the default settings ends."""
    folder = tmp_path_factory.mktemp("default")
    paths = (f"paths.data_root={folder / 'data'}", f"paths.output_root={folder / 'outputs'}")
    config = load_config(*TINY, *paths, *SHORT)
    write_tiny_corpus(config)
    stages.run(config)
    return checkpoint.read_checkpoint(Path(config.paths.run_dir) / "checkpoints/last.ckpt").weights


@pytest.mark.parametrize("override", [*CHOICES, *SETTINGS])
def test_every_choice_trains_and_has_its_effect(tiny, default_weights, override):
    config = tiny(*SHORT, override)
    assert 0 < stages.run(config).objective < 10
    weights = checkpoint.read_checkpoint(Path(config.paths.run_dir) / "checkpoints/last.ckpt").weights
    assert all(value.isfinite().all() for value in weights.values())
    changed = any(not torch.allclose(value, weights[name], atol=1e-6) for name, value in default_weights.items())
    assert changed == (override not in ALIKE)


@pytest.mark.parametrize(
    "override", ["loss.regularizers=[{part:encodr,norm:l1,weight:1}]", "+optim.groups={encodr:{lr:1}}"]
)
def test_an_unknown_part_ends_the_command_with_the_parts(tiny, override):
    with pytest.raises(ConfigError, match=r"no part 'encodr'.*heads\.gloss"):
        stages.run(tiny(*SHORT, override))


def problems(*overrides: str) -> str:
    register_schemas()
    with pytest.raises(ConfigError) as caught:
        check_command(list(overrides), cli.CONF_DIR)
    return str(caught.value)


def test_wrong_settings_are_all_named_before_anything_is_read():
    found = problems(
        "loss/weighting=gradnorm", "loss.weighting.alpha=-1", "loss.weighting.lr=0", "loss.focal_gamma=-1",
        "loss.regularizers=[{part:heads,norm:l1,weight:0}]", "optim.lr=-1",
        "+optim.groups={heads:{lr:-1},layers.0:{}}", "trainer.max_epochs=1", "scheduler=plateau",
        "scheduler.warmup_epochs=1", "scheduler.factor=2", "scheduler.monitor=val_acc", "scheduler.patience=-1",
        "trainer.compile=true",
    )  # fmt: skip
    for message in (
        "loss.weighting=GradNorm weighs two losses",
        "loss.category_weight=0.0. Give both weights above 0, or use loss/weighting=static",
        "loss.weighting.alpha=-1.0 must be 0",
        "loss.weighting.lr=0.0 must be above 0",
        "loss.focal_gamma=-1.0 must be 0",
        "weight=0.0 of part heads must be above 0",
        "optim.lr=-1.0 must be a number, 0 or more",
        "optim.groups.heads.lr=-1 must be a number",
        "optim.groups.layers.0={} must say what is different",
        "scheduler.warmup_epochs=1.0 takes all of trainer.max_epochs=1",
        "scheduler.factor=2.0 must lie between 0 and 1",
        "scheduler.monitor=val_acc is not measured",
        "scheduler.patience=-1 must be 0",
        "loss/weighting=gradnorm needs each task's gradients by themselves, and trainer.compile=true",
    ):
        assert message in found


def test_wrong_curricula_and_restarts_are_all_named():
    found = problems(
        "loss.category_weight=1", "loss/weighting=curriculum", "loss.weighting.min_weight=0.5",
        "loss.weighting.epochs=0", "loss.weighting.warmup_epochs=-1", "scheduler=warm_restarts", "scheduler.T_0=0",
        "scheduler.T_mult=0", "scheduler.min_ratio=1", "scheduler.warmup_epochs=-1",
    )  # fmt: skip
    for message in (
        "loss.weighting.min_weight=0.5 must lie in [0, 0.5)",
        "loss.weighting.epochs=0 must be at least 1",
        "loss.weighting.warmup_epochs=-1 must be 0",
        "scheduler.T_0=0.0 must be above 0",
        "scheduler.T_mult=0 must be 1",
        "scheduler.min_ratio=1.0 must lie in [0, 1)",
        "scheduler.warmup_epochs=-1.0 must be 0",
    ):
        assert message in found


def test_words_that_are_no_choice_and_a_monitor_without_head_are_named():
    found = problems(
        "loss.class_weights=some", "loss.category_weight=1", "loss/weighting=curriculum", "loss.weighting.order=none",
        "scheduler=plateau", "scheduler.mode=up",
    )  # fmt: skip
    assert all(key in found for key in ("loss.class_weights=some", "loss.weighting.order=none", "scheduler.mode=up"))
    found = problems("scheduler=plateau", "scheduler.monitor=val_category_acc", "scheduler.mode=max")
    assert "scheduler.monitor=val_category_acc needs a category head" in found


def test_a_fused_step_cannot_clip_fp16_gradients():
    found = problems("optim.algorithm.fused=true", "trainer.precision=16-mixed")
    assert "optim.algorithm.fused=true cannot clip fp16 gradients (trainer.gradient_clip=1.0)" in found


@pytest.mark.parametrize("fused", ["null", "true"])
def test_bf16_trains_with_a_fused_step_and_clipped_gradients(tiny, monkeypatch, fused):
    """On a CPU both are the defaults, and Lightning refused the two together."""
    norms = []

    def measure(self: SignClassifier, optimizer: torch.optim.Optimizer) -> None:
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        norms.append(float(torch.nn.utils.get_total_norm(gradients)))

    monkeypatch.setattr(SignClassifier, "on_before_zero_grad", measure)  # after clipping and step
    stages.run(
        tiny(*SHORT, "trainer.precision=bf16-mixed", "trainer.gradient_clip=0.1", f"optim.algorithm.fused={fused}")
    )
    taken = [norm for norm in norms if norm > 0]
    assert len(taken) > 1 and max(taken) == pytest.approx(0.1, rel=1e-2)


def test_s0_weighted_loss_and_bias_prior_work_with_poseformer(tiny):
    """S0's --weighted_loss and --use_bias_init crashed on the way to the counts; PoseFormer had no bias prior."""
    config = tiny(*SHORT, "model=poseformer", "loss=class_balanced", "optim.lr=0")
    assert stages.run(config).objective > 0
    weights = checkpoint.read_checkpoint(Path(config.paths.run_dir) / "checkpoints/last.ckpt").weights
    clips = prepared(config).of_split("train")
    vocabulary = Vocabulary.from_clips(clips)
    glosses = torch.tensor([sum(c.gloss == name for c in clips) for name in vocabulary.glosses])
    categories = torch.tensor([sum(c.category == name for c in clips) for name in vocabulary.categories])
    assert categories[0] == 2 * categories[1]
    assert torch.allclose(weights["heads.gloss.1.bias"], (glosses / len(clips)).log())
    assert torch.allclose(weights["heads.category.1.bias"], (categories / len(clips)).log())


def test_the_loss_that_is_logged_does_not_depend_on_the_weights_in_use(tiny):
    """Without learning, every weighting logs the same losses, and its own weights beside them."""
    logged = {}
    for weighting in ("static", "gradnorm", "curriculum"):
        config = tiny(*SHORT, "optim.lr=0", "model.dropout=0", "model.head_dropout=0", f"loss/weighting={weighting}")
        stages.run(config)
        logged[weighting] = rows(Path(config.paths.run_dir))[0]
    assert len({(row["train_loss"], row["val_loss"]) for row in logged.values()}) == 1
    found = {name: (float(row["gloss_weight"]), float(row["category_weight"])) for name, row in logged.items()}
    assert found["static"] == (1.0, 0.5) and found["curriculum"] == pytest.approx((1.8, 0.1))
    assert found["gradnorm"] != (1.0, 0.5) and sum(found["gradnorm"]) == pytest.approx(1.5, abs=1e-5)


def test_the_penalty_is_in_the_log_and_not_in_the_losses(tiny):
    still = (*SHORT, "optim.lr=0", "model.dropout=0", "model.head_dropout=0")
    plain, penalised = tiny(*still), tiny(*still, "loss.regularizers=[{part:projection,norm:l1,weight:0.5}]")
    for config in (plain, penalised):
        stages.run(config)
    without, with_it = rows(Path(plain.paths.run_dir))[0], rows(Path(penalised.paths.run_dir))[0]
    weights = checkpoint.read_checkpoint(Path(penalised.paths.run_dir) / "checkpoints/last.ckpt").weights
    expected = 0.5 * sum(w.abs().sum().item() for n, w in weights.items() if n.startswith("projection") and w.ndim > 1)
    assert float(with_it["regularization"]) == pytest.approx(expected, rel=1e-4) and without["regularization"] == ""
    assert with_it["train_loss"] == without["train_loss"]


RESUMED = {
    "uncertainty, plateau": [
        "loss/weighting=uncertainty", "scheduler=plateau", "scheduler.patience=0", "scheduler.warmup_epochs=0.5",
        "scheduler.min_delta=1",
    ],
    "gradnorm, restarts": [
        "loss/weighting=gradnorm", "trainer.ema.enabled=true", "scheduler=warm_restarts", "scheduler.T_0=1.5",
    ],
    "curriculum, accumulation": [
        "loss/weighting=curriculum", "loss.weighting.order=dynamic", "loss.weighting.epochs=3", "optim=sgd",
        "trainer.accumulate=2",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", RESUMED)
def test_a_broken_off_training_goes_on_to_the_same_bits(tiny, tmp_path, monkeypatch, name):
    settings = (*SHORT, "trainer.max_epochs=3", "trainer.early_stopping.enabled=false", *RESUMED[name])
    whole, broken = (tiny(*settings, f"paths.run_dir={tmp_path / place}") for place in ("whole", "broken"))
    stages.run(whole)

    class Broken(Exception):
        pass

    def break_off(self: SignClassifier) -> None:
        if self.current_epoch == 2:
            raise Broken

    with monkeypatch.context() as patch:
        patch.setattr(SignClassifier, "on_train_epoch_start", break_off)
        with pytest.raises(Broken):
            stages.run(broken)
    stages.run(broken)
    assert rows(tmp_path / "broken") == rows(tmp_path / "whole")
    expected, found = last(tmp_path / "whole"), last(tmp_path / "broken")
    for part in ("state_dict", "optimizer_states", "lr_schedulers"):
        assert same(expected[part], found[part]), part
    assert len({row["lr"] for row in rows(tmp_path / "whole")}) > 1


def same(a: Any, b: Any) -> bool:
    """Whether nested states are equal to the bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(value, b[key]) for key, value in a.items())
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b
