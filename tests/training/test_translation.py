"""The loss of a token, its share in a step, and what is measured at an evaluation."""

import csv
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_translation import configure
from torch.nn import functional as F

from sign_recog import stages
from sign_recog.storage.checkpoint import read_translation
from sign_recog.training import translation
from sign_recog.training.translation import Translator, token_losses


def made(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 5, 11, generator=generator)
    labels = torch.randint(0, 11, (3, 5), generator=generator)
    labels[0, 3:] = labels[2, 1:] = -100
    return logits, labels


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_formula_token_by_token(smoothing):
    logits, labels = made()
    total, plain, hits, count = 0.0, 0.0, 0, 0
    for row, column in (labels != -100).nonzero().tolist():
        log_p = logits[row, column].double().softmax(0).log()
        y = int(labels[row, column])
        total += float(-(1 - smoothing) * log_p[y] - smoothing * log_p.sum() / 11)
        plain += float(-log_p[y])
        hits += int(log_p.argmax()) == y
        count += 1
    found = token_losses(logits, labels, smoothing)
    assert float(found.objective) == pytest.approx(total, rel=1e-5)
    assert float(found.cross_entropy) == pytest.approx(plain, rel=1e-5)
    assert (int(found.hits), int(found.tokens)) == (hits, count)


def test_it_is_what_torch_and_so_transformers_compute():
    logits, labels = made(1)
    theirs = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=0.1, reduction="sum")
    torch.testing.assert_close(token_losses(logits, labels, 0.1).objective, theirs)


def test_padding_weighs_nothing():
    logits, labels = made()
    logits.requires_grad_(True)
    token_losses(logits, labels, 0.3).objective.backward()
    assert logits.grad is not None and (logits.grad[labels == -100] == 0).all()
    wider = torch.cat([labels, torch.full((3, 4), -100)], dim=1)
    more = torch.cat([logits.detach(), torch.randn(3, 4, 11)], dim=1)
    for one, other in zip(token_losses(more, wider, 0.3), token_losses(logits.detach(), labels, 0.3), strict=True):
        torch.testing.assert_close(one, other)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_translation(folder / "checkpoints" / "last.ckpt").weights


STILL = (
    "run=translate", "optim=sgd", "optim.lr=0.1", "model.dropout=0", "model.attention_dropout=0",
    "model.activation_dropout=0", "trainer.max_epochs=1", "trainer.gradient_clip=null", "translation.max_tokens=null",
    "trainer.bucketing=false", "trainer.select=last",
)  # fmt: skip


def test_every_token_of_a_step_counts_the_same_whatever_the_batches(tmp_path):
    """One step of all 120 sentences, which are of unequal lengths, as 1 batch, as 4, and shared by two processes."""
    shapes = {"one": (120, 1, 1), "four": (30, 4, 1), "shared": (60, 2, 2)}
    for name, (size, accumulate, devices) in shapes.items():
        sizes = (f"trainer.batch_size={size}", f"trainer.accumulate={accumulate}", f"trainer.devices={devices}")
        stages.run(configure(tmp_path, *STILL, *sizes, f"paths.run_dir={tmp_path / name}"))
    one = weights(tmp_path / "one")
    rows = {name: next(csv.DictReader((tmp_path / name / "metrics.csv").open())) for name in shapes}
    for name in ("four", "shared"):
        other = weights(tmp_path / name)
        assert all(torch.allclose(one[key], other[key], atol=1e-6) for key in one)
        for column in ("train_loss", "val_loss", "val_token_acc", "val_bleu1", "val_chrf"):
            assert float(rows[name][column]) == pytest.approx(float(rows["one"][column]), abs=1e-4)


class _Uniform(torch.nn.Module):
    """Every token of four is as likely; what it writes is counted."""

    written = 0
    search = None  # the settings of the last search

    def forward(self, sequence, padding_mask, labels):
        return torch.zeros(*labels.shape, 4)

    def generate(self, sequence, padding_mask, **search):
        self.written += len(sequence)
        self.search = search
        return [[SimpleNamespace(tokens=[])] for _ in sequence]


def uniform(monkeypatch, own: int, **validation):
    """A module around such a network, with ``own`` clips of each batch, and a batch of two."""
    known = {"num_beams": 1, "max_length": None, "length_penalty": 1.0, "subset": None} | validation
    tokenizer = SimpleNamespace(decode=lambda lines: ["" for _ in lines])
    module = Translator(
        _Uniform(), tokenizer, ["a", "b"], SimpleNamespace(**known), None, None, {}, label_smoothing=0.0,
        max_target_length=3, seed=0,
    )  # fmt: skip
    labels = torch.tensor([[1, 2], [3, -100]])
    batch = {"sequence": torch.zeros(2, 3, 1), "padding_mask": torch.zeros(2, 3).bool(), "labels": labels}
    batch |= {"index": [0, 1], "clip_id": ["a", "b"]}
    sampler = SimpleNamespace(own=lambda number: own, share=lambda number: (own > 0) / 3)
    monkeypatch.setattr(translation, "sampler_of", lambda loader: sampler)
    module._trainer = SimpleNamespace(train_dataloader=None, val_dataloaders=None)
    return module, batch


@pytest.mark.parametrize("own", [0, 2])
def test_a_step_is_the_loss_a_token_and_a_repeated_clip_counts_nowhere(monkeypatch, own):
    """A process without a clip of a batch repeats one of another's."""
    module, batch = uniform(monkeypatch, own)
    assert module.training_step(batch, 0).item() == pytest.approx(math.log(4) if own else 0.0)
    module.validation_step(batch, 0)
    assert module.network.written == own and len(module._written) == own
    assert set(module._totals) == ({"train", "val"} if own else set())


def test_val_is_searched_as_the_settings_of_validation_say(monkeypatch):
    module, batch = uniform(monkeypatch, 2, num_beams=3, length_penalty=1.8)
    module.validation_step(batch, 0)
    assert module.network.search == {"num_beams": 3, "max_length": 3, "length_penalty": 1.8}
    module, batch = uniform(monkeypatch, 2, num_beams=5, length_penalty=0.0, max_length=7)
    module.validation_step(batch, 0)
    assert module.network.search == {"num_beams": 5, "max_length": 7, "length_penalty": 0.0}
