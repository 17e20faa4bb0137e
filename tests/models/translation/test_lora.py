"""Adapters: what learns, what does not, and that a checkpoint holds all of it."""

import sys

import pytest
import torch
from models.translation.translators import build, collate, labels_of, sources

from sign_recog.errors import ConfigError
from sign_recog.torchvision_operators import declare_missing

declare_missing()  # the library imports torchvision where it is installed
pytest.importorskip("peft", reason="adapters need the library peft")
SENTENCES = [[5, 6, 7], [8, 9]]


@pytest.mark.parametrize("name", ["t5", "t5_v1_1", "bart"])
def test_only_adapters_and_the_map_of_frames_learn(name):
    network, batch, labels = build(name, lora_rank=2), collate(sources([5, 8])), labels_of(SENTENCES)
    learning = {n for n, p in network.named_parameters() if p.requires_grad}
    assert learning and all(n.startswith(("projection.", "scale")) or "lora_" in n for n in learning)
    assert {"projection.weight", "scale"} < learning
    before = {n: p.detach().clone() for n, p in network.named_parameters()}
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        logits = network(*batch, labels).flatten(0, 1)
        torch.nn.functional.cross_entropy(logits, labels.flatten(), ignore_index=-100).backward()
        optimizer.step()
    moved = {n for n, p in network.named_parameters() if not torch.equal(p, before[n])}
    assert moved == learning


@pytest.mark.parametrize("name", ["t5", "t5_v1_1", "bart"])
def test_a_fresh_adapter_changes_nothing(name):
    plain, adapted = build(name).eval(), build(name, lora_rank=2).eval()
    weights = {k.replace(".base_layer", ""): v for k, v in adapted.state_dict().items() if "lora_" not in k}
    plain.load_state_dict(weights, strict=True)
    batch, labels = collate(sources([5, 8])), labels_of(SENTENCES)
    torch.testing.assert_close(adapted(*batch, labels), plain(*batch, labels))


def test_a_checkpoint_with_adapters_needs_nothing_else():
    first = build("t5", lora_rank=2, seed=1).eval()
    with torch.no_grad():
        for name, weight in first.named_parameters():
            if "lora_B" in name:
                weight.normal_()
    again = build("t5", lora_rank=2, seed=2, **first.rebuild).eval()
    again.load_state_dict(first.state_dict(), strict=True)
    batch = collate(sources([5, 8]))
    torch.testing.assert_close(again(*batch, labels_of(SENTENCES)), first(*batch, labels_of(SENTENCES)))
    settings = {"num_beams": 3, "max_length": 6, "length_penalty": 1.0}
    assert again.generate(*batch, **settings) == first.generate(*batch, **settings)


def test_target_layers_can_be_named():
    network = build("t5", lora_rank=2, lora_targets=["wo"])
    adapted = {n.split(".lora_A")[0].rpartition(".")[2] for n, _ in network.named_modules() if n.endswith("lora_A")}
    assert adapted == {"wo"}


def test_adapters_and_gradient_checkpointing_go_together():
    network, batch, labels = build("t5", lora_rank=2, gradient_checkpointing=True), collate(sources([5])), [[5, 6]]
    network(*batch, labels_of(labels)).sum().backward()
    without = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []


def test_layers_that_are_not_there_and_a_missing_library_are_said(monkeypatch):
    with pytest.raises(ConfigError, match=r"lora_targets=\['nothing'\].*of these layers: .*\bq\b"):
        build("t5", lora_rank=2, lora_targets=["nothing"])
    with pytest.raises(ConfigError, match="rank of at least 1"):
        build("t5", lora_rank=-1)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"pip install 'sign-recog\[lora\]'"):
        build("t5", lora_rank=2)
