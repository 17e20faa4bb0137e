"""What is particular to the Transformer from scratch."""

import math

import pytest
import torch
from models.networks import count, encoder_layer_size
from models.translation.translators import IDS, build, collate, labels_of, node, sources

from sign_recog.stages.build import build as build_node


def test_tarres_has_the_sizes_of_the_paper():
    sizes = {"input_dim": 1024, "num_source_tokens": None, "vocab_size": 7000, **IDS}
    network = build_node(node("tarres"), **sizes)
    attention, norm = 4 * 256 * 256 + 4 * 256, 2 * 256
    encoder = 6 * encoder_layer_size(256, 1024)
    decoder = 3 * (encoder_layer_size(256, 1024) + attention + norm)
    assert count(network) == encoder + decoder + 2 * norm + 7000 * 256 + 1024 * 256 + 256


def test_token_vectors_begin_as_fairseqs_and_make_the_logits():
    network = build_node(node("tarres"), input_dim=8, num_source_tokens=None, vocab_size=3000, **IDS)
    weight = network.embedding.weight
    assert not weight[IDS["pad_id"]].any()
    assert weight[2:].std().item() == pytest.approx(256**-0.5, rel=0.02)
    assert [n for n, p in network.named_parameters() if p.shape[0] == 3000] == ["embedding.weight"]


def test_the_decoder_reads_token_vectors_times_the_root_of_the_width():
    network = build("plain").eval()
    at_zero = network._embed(torch.tensor([[5]]), torch.zeros(1, 32))
    torch.testing.assert_close(at_zero[0, 0], math.sqrt(32) * network.embedding.weight[5])


def test_nothing_is_too_long():
    network = build("plain").eval()
    with torch.inference_mode():
        logits = network(*collate(sources([1500])), labels_of([[5] * 1100]))
        (found,) = network.generate(*collate(sources([1100])), num_beams=1, max_length=300, length_penalty=1.0)
    assert torch.isfinite(logits).all() and len(found[0].tokens) <= 300
    assert network.max_source_positions is network.max_target_positions is network.no_fp16 is None


def test_keeping_keys_and_values_changes_nothing():
    """Steps with a cache, rows changed on the way, against whole forward passes."""
    from sign_recog.models.translation.transformer import _Steps

    network = build("plain").eval()
    batch = collate(sources([9, 4]))
    with torch.no_grad():
        steps = _Steps(network, *network._sources(*batch), max_length=6)
        prefixes = [[], [], [], []]  # two beams of two sentences
        for tokens in ([0, 0, 0, 0], [5, 6, 7, 8], [9, 10, 11, 12]):
            logits = steps.step(torch.tensor(tokens))
            for row, prefix in enumerate(prefixes):
                sentence = [x[row // 2 : row // 2 + 1] for x in batch]
                expected = network(*sentence, labels_of([prefix]))[0, len(prefix)]
                torch.testing.assert_close(logits[row], expected, atol=1e-5, rtol=1e-4)
            following = {0: [5, 6, 7, 8], 5: [9, 10, 11, 12]}.get(tokens[0], [])
            prefixes = [[*prefix, token] for prefix, token in zip(prefixes, following, strict=False)]
        steps.keep(torch.tensor([3, 3]), torch.tensor([1]))
        logits = steps.step(torch.tensor([13, 14]))
        for row, token in enumerate((13, 14)):
            sentence = [x[1:] for x in batch]
            expected = network(*sentence, labels_of([[8, 12, token]]))[0, 3]
            torch.testing.assert_close(logits[row], expected, atol=1e-5, rtol=1e-4)
