"""Networks of transformers, written with step by step: against whole forward passes, and the library's beam search."""

import pytest
import torch
from models.translation.translators import IDS, VOCAB, build, collate, labels_of, sources
from transformers import GenerationConfig

from sign_recog.models.translation.beam_search import without_end
from sign_recog.models.translation.pretrained_steps import SOURCE_ATTENTION, PretrainedSteps

KINDS = ["t5", "t5_v1_1", "mt5", "bart", "mbart", "m2m_100"]
BEAMS = 2


def spread(network, factor=1.5):
    """With token vectors so far apart that sentences differ."""
    with torch.no_grad():
        network.backbone.get_output_embeddings().weight *= factor
    return network.eval()


def encoded(network, sequence, mask):
    encoder = network.backbone.get_encoder()
    return encoder(inputs_embeds=network._embed(sequence), attention_mask=(~mask).long())[0]


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_steps_give_the_logits_of_whole_forward_passes(kind):
    """Rows change their places and a sentence leaves on the way."""
    network, batch = spread(build(kind)), collate(sources([9, 4]))
    start, prefixes = network.start_id, [[], [], [], []]

    def check(logits, sentences):
        for row, prefix in enumerate(prefixes):
            sentence = sentences[row // BEAMS]
            labels = labels_of([prefix])
            expected = network(*(x[sentence : sentence + 1] for x in batch), labels)[0, len(prefix)]
            torch.testing.assert_close(logits[row], expected, atol=1e-5, rtol=1e-4)

    with PretrainedSteps(network.backbone, encoded(network, *batch), batch[1], BEAMS, VOCAB) as steps:
        found = [steps.step(torch.full((4,), start))]
        steps.keep(torch.tensor([0, 0, 3, 2]), torch.tensor([0, 1]))
        found.append(steps.step(torch.tensor([5, 6, 7, 8])))
        steps.keep(torch.tensor([1, 0, 2, 2]), torch.tensor([0, 1]))
        found.append(steps.step(torch.tensor([9, 10, 11, 12])))
        steps.keep(torch.tensor([3, 2]), torch.tensor([1]))
        last = steps.step(torch.tensor([13, 14]))
    check(found[0], [0, 1])
    prefixes = [[5], [6], [7], [8]]
    check(found[1], [0, 1])
    prefixes = [[6, 9], [5, 10], [7, 11], [7, 12]]
    check(found[2], [0, 1])
    prefixes = [[7, 12, 13], [7, 11, 14]]
    check(last, [1])


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_source_is_kept_once_for_all_beams_of_its_sentence(kind):
    network, batch = build(kind).eval(), collate(sources([5, 8, 3]))
    with PretrainedSteps(network.backbone, encoded(network, *batch), batch[1], BEAMS, VOCAB) as steps:
        steps.step(torch.full((3 * BEAMS,), network.start_id))
        steps.keep(torch.tensor([0, 1, 4, 5]), torch.tensor([0, 2]))
        memory = [x for keys_values in (_kept(steps._past, layer) for layer in range(2)) for x in keys_values]
    assert [len(x) for x in memory] == [2 * BEAMS, 2 * BEAMS, 2, 2] * 2


def _kept(past, layer):
    """Keys and values of a layer, of the sentence and of the source, in versions 4 and 5 of the library."""
    caches = (past.self_attention_cache, past.cross_attention_cache)
    if hasattr(caches[0], "layers"):
        return [x for cache in caches for x in (cache.layers[layer].keys, cache.layers[layer].values)]
    return [x for cache in caches for x in (cache.key_cache[layer], cache.value_cache[layer])]


@pytest.mark.parametrize("kind", KINDS)
def test_afterwards_the_network_is_as_before_even_after_an_error(kind):
    network, batch = build(kind).eval(), collate(sources([5, 8]))
    with pytest.raises(IndexError, match="index out of range"), torch.no_grad():
        steps = PretrainedSteps(network.backbone, encoded(network, *batch), batch[1], BEAMS, VOCAB)
        with steps:
            steps.step(torch.full((4,), VOCAB + 1000))
    parts = [part for name, part in network.backbone.named_modules() if name.endswith(SOURCE_ATTENTION)]
    assert len(parts) == 2 and not any(part._forward_hooks or part._forward_pre_hooks for part in parts)


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0, 2.0])
@pytest.mark.parametrize("num_beams", [1, 2, 4])
@pytest.mark.parametrize("kind", ["t5", "t5_v1_1", "bart"])
def test_the_sentences_are_those_of_transformers_own_beam_search(kind, num_beams, penalty):
    for seed in range(3):
        network, batch = spread(build(kind, seed=seed)), collate(sources([3, 6, 9, 12], seed=seed))
        ours = network.generate(
            *batch, num_beams=num_beams, max_length=8, length_penalty=penalty, num_return=num_beams
        )  # fmt: skip
        network.backbone.generation_config = GenerationConfig(
            do_sample=False, early_stopping=False, decoder_start_token_id=network.start_id,
            pad_token_id=IDS["pad_id"], eos_token_id=IDS["eos_id"], suppress_tokens=[IDS["pad_id"]],
        )  # fmt: skip
        found = network.backbone.generate(
            inputs_embeds=network._embed(batch[0]), attention_mask=(~batch[1]).long(), num_beams=num_beams,
            max_new_tokens=8, length_penalty=penalty, num_return_sequences=num_beams, output_scores=True,
            return_dict_in_generate=True,
        )  # fmt: skip
        lines = found.sequences[:, 1:].view(4, num_beams, -1).tolist()
        assert [[h.tokens for h in one] for one in ours] == [[without_end(t, IDS["eos_id"]) for t in x] for x in lines]
        if num_beams > 1:
            theirs = found.sequences_scores.view(4, num_beams)
            torch.testing.assert_close(
                torch.tensor([[h.score for h in one] for one in ours]), theirs, atol=1e-4, rtol=1e-4
            )
