"""Promises that every translation network keeps: shapes, indifference to padding and batch, learning, generation."""

import copy

import pytest
import torch
from models.translation.translators import (
    EVERY,
    IDS,
    OF_FRAMES,
    VOCAB,
    build,
    collate,
    labels_of,
    sources,
)
from torch import nn

from sign_recog.errors import ConfigError

every = pytest.mark.parametrize(("name", "glosses"), EVERY)
SENTENCES = [[5, 6, 7], [8, 9], [10, 11, 12, 13, 14]]
SEARCH = {"num_beams": 3, "max_length": 7, "length_penalty": 1.0}


@every
def test_logits_have_a_row_for_every_token(name, glosses):
    network, labels = build(name, glosses).eval(), labels_of(SENTENCES)
    logits = network(*collate(sources([4, 9, 6], glosses)), labels)
    assert logits.shape == (*labels.shape, VOCAB) and torch.isfinite(logits).all()


@every
@pytest.mark.parametrize("grad", [False, True])  # without gradients PyTorch takes a fused path of its own
def test_padding_and_batch_mates_do_not_change_a_sentences_logits(name, glosses, grad):
    network, clips = build(name, glosses).eval(), sources([1, 4, 15], glosses)
    with torch.set_grad_enabled(grad):
        alone = [network(*collate([c]), labels_of([s]))[0] for c, s in zip(clips, SENTENCES, strict=True)]
        for extra, fill in ((0, 0), (13, 3), (13, 3 if glosses else 1e3)):
            together = network(*collate(clips, extra, fill), labels_of(SENTENCES, extra=2))
            for i, single in enumerate(alone):
                torch.testing.assert_close(together[i, : len(single)], single, atol=2e-5, rtol=1e-4)


@every
def test_later_labels_change_nothing_before_them(name, glosses):
    network, batch = build(name, glosses).eval(), collate(sources([6], glosses))
    first, other = (network(*batch, labels_of([[5, 6, 7, last, last]])) for last in (8, 9))
    torch.testing.assert_close(first[:, :4], other[:, :4], atol=1e-5, rtol=1e-5)
    assert (first[:, 4:] - other[:, 4:]).abs().max() > 1e-4


@every
def test_in_training_without_dropout_padding_does_not_matter_either(name, glosses):
    network, clips = _without_dropout(build(name, glosses)).train(), sources([3, 8], glosses)
    alone = network(*collate(clips[:1]), labels_of(SENTENCES[:1]))[0]
    together = network(*collate(clips, extra=5, fill=3), labels_of(SENTENCES[:2], extra=3))[0, : len(alone)]
    torch.testing.assert_close(together, alone, atol=2e-5, rtol=1e-4)


@every
def test_the_order_of_the_sequence_matters(name, glosses):
    network, clip = build(name, glosses).eval(), sources([8], glosses)[0]
    # the spread of token vectors hides it in a BART that has not learned, whose positions are small
    encoder = getattr(getattr(network, "backbone", None), "get_encoder", lambda: None)()
    if isinstance(table := getattr(encoder, "embed_positions", None), nn.Embedding):
        nn.init.normal_(table.weight)
    forward, backward = (network(*collate([c]), labels_of(SENTENCES[:1])) for c in (clip, clip.flip(0)))
    assert (forward - backward).abs().max() > 1e-5


@every
def test_the_gradient_reaches_every_weight(name, glosses):
    network = build(name, glosses)
    _loss(network, collate(sources([6, 9, 12], glosses)), labels_of(SENTENCES)).backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().any()]
    assert without == []


@every
def test_copying_is_learned_and_then_generated(name, glosses):
    network = build(name, glosses)
    batch, labels = collate(sources([6, 9, 12], glosses)), labels_of(SENTENCES)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    before = _loss(network.eval(), batch, labels).item()
    network.train()
    for _ in range(40):
        optimizer.zero_grad()
        _loss(network, batch, labels).backward()
        optimizer.step()
    assert _loss(network.eval(), batch, labels) < 0.3 * before
    found = network.generate(*batch, **SEARCH)
    assert [best[0].tokens for best in found] == SENTENCES


@every
def test_a_sentence_is_generated_the_same_alone_and_in_a_batch(name, glosses):
    network, clips = _peaked(build(name, glosses, seed=3)), sources([2, 5, 9, 14], glosses)
    for num_beams in (1, 4):
        settings = SEARCH | {"num_beams": num_beams, "num_return": min(2, num_beams)}
        alone = [network.generate(*collate([clip]), **settings)[0] for clip in clips]
        together = network.generate(*collate(clips, extra=3, fill=3), **settings)
        assert [[h.tokens for h in one] for one in together] == [[h.tokens for h in one] for one in alone]
        for one, other in zip(together, alone, strict=True):
            torch.testing.assert_close([h.score for h in one], [h.score for h in other], atol=1e-4, rtol=1e-4)


@every
def test_one_beam_is_greedy_and_scores_are_mean_log_probabilities(name, glosses):
    network, clips = _peaked(build(name, glosses, seed=4)), sources([4, 7], glosses)
    for clip, (found,) in zip(
        clips, network.generate(*collate(clips), num_beams=1, max_length=6, length_penalty=1.0), strict=True
    ):
        tokens, total = [], 0.0
        for _ in range(6):  # the whole forward pass for every token: neither beams nor cache
            logits = network(*collate([clip]), labels_of([tokens]))[0, len(tokens)].log_softmax(0)
            chosen = logits.masked_fill(_never(network), -torch.inf).argmax()
            total += logits[chosen].item()
            tokens.append(int(chosen))
            if chosen == IDS["eos_id"]:
                break
        assert found.tokens == [t for t in tokens if t != IDS["eos_id"]]
        assert found.score == pytest.approx(total / len(tokens), abs=1e-4)


@every
def test_scores_of_beams_are_those_of_a_forward_pass_and_fall(name, glosses):
    network, clip = _peaked(build(name, glosses, seed=5)), sources([7], glosses)[0]
    (found,) = network.generate(*collate([clip]), num_beams=4, max_length=6, length_penalty=0.5, num_return=4)
    assert len({tuple(h.tokens) for h in found}) == 4 and found == sorted(found, key=lambda h: -h.score)
    for tokens, score in found:
        ended = len(tokens) < 6
        labels = labels_of([tokens]) if ended else torch.tensor([tokens])
        steps = network(*collate([clip]), labels)[0].log_softmax(1).gather(1, labels[0].unsqueeze(1))
        assert score == pytest.approx(steps.sum().item() / labels.shape[1] ** 0.5, abs=1e-4)


@every
def test_padding_and_start_are_never_generated(name, glosses):
    network = build(name, glosses).eval()
    for found in network.generate(*collate(sources([3, 5], glosses)), **SEARCH, num_return=3):
        for hypothesis in found:
            assert len(hypothesis.tokens) <= 7
            assert not {IDS["pad_id"], IDS["eos_id"]} & set(hypothesis.tokens)


@every
def test_s3_bfloat16_gives_finite_logits_and_sentences(name, glosses):
    network, batch = build(name, glosses).eval(), collate(sources([4, 9], glosses))
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(*batch, labels_of(SENTENCES[:2]))
        assert torch.isfinite(logits).all()
        assert len(network.generate(*batch, **SEARCH)) == 2
    close = network(*batch, labels_of(SENTENCES[:2]))
    assert (logits.float() - close).abs().max() < 0.05 * close.abs().max()


@every
def test_weights_go_into_a_network_made_again_as_it_says(name, glosses):
    first = build(name, glosses, seed=1).eval()
    again = build(name, glosses, seed=2, **first.rebuild).eval()
    again.load_state_dict(first.state_dict(), strict=True)
    batch = collate(sources([5, 8], glosses))
    torch.testing.assert_close(again(*batch, labels_of(SENTENCES[:2])), first(*batch, labels_of(SENTENCES[:2])))


@every
def test_gradient_checkpointing_changes_no_gradient(name, glosses):
    batch, labels = collate(sources([5, 8], glosses)), labels_of(SENTENCES[:2])
    gradients = []
    for checkpointing in (False, True):
        network = _without_dropout(build(name, glosses, gradient_checkpointing=checkpointing)).train()
        _loss(network, batch, labels).backward()
        gradients.append({n: p.grad for n, p in network.named_parameters()})
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-5, rtol=1e-4)


@every
def test_the_same_seed_gives_the_same_network(name, glosses):
    first, second = build(name, glosses).state_dict(), build(name, glosses).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", OF_FRAMES)
def test_numbers_that_do_not_go_together_are_refused(name):
    network, batch = build(name).eval(), collate(sources([5]))
    with pytest.raises(ConfigError, match="no more sentences than it has beams"):
        network.generate(*batch, **SEARCH, num_return=4)
    with pytest.raises(ConfigError, match="at least 1"):
        network.generate(*batch, num_beams=0, max_length=7, length_penalty=1.0)
    with pytest.raises(RuntimeError, match="eval mode"):
        network.train().generate(*batch, **SEARCH)
    with pytest.raises(ConfigError, match="either vectors or tokens"):
        build(name, num_source_tokens=5)


def _loss(network, batch, labels):
    logits = network(*batch, labels)
    return nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)


def _never(network):
    never = torch.zeros(VOCAB, dtype=torch.bool)
    never[IDS["pad_id"]] = True
    if not hasattr(network, "backbone"):
        never[IDS["bos_id"]] = True
    return never


def _peaked(network):
    """In eval mode, with logits so far apart that no rounding decides."""
    network.eval()
    part = network.embedding if hasattr(network, "embedding") else network.backbone.get_output_embeddings()
    with torch.no_grad():
        part.weight.copy_(part.weight / part.weight.std() * (1.5 if part.weight.std() > 0.5 else 0.6))
    return network


def _without_dropout(network):
    network = copy.copy(network)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for attribute in ("dropout", "drop_path", "activation_dropout", "attention_dropout"):
            if isinstance(getattr(module, attribute, None), float):
                setattr(module, attribute, 0.0)
    return network
