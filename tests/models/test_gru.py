import subprocess
import sys
from itertools import pairwise

import pytest
import torch
from conftest import ROOT
from models.networks import build, collate, count, from_conf
from torch.nn.utils.rnn import pack_padded_sequence


def test_recurrent_weights_start_orthogonal_and_biases_at_zero():
    network = from_conf("gru", input_dim=20, num_glosses=2, num_categories=0)
    for gru in (network.gru1, network.gru2):
        for gate in gru.weight_hh_l0.chunk(3):
            torch.testing.assert_close(gate @ gate.T, torch.eye(len(gate)), atol=1e-5, rtol=0)
        assert not gru.bias_ih_l0.any() and not gru.bias_hh_l0.any()
        for gate in gru.weight_ih_l0.chunk(3):
            assert gate.abs().max() <= (6 / sum(gate.shape)) ** 0.5


def test_a_clips_vector_is_what_packed_sequences_give():
    network = build("gru").eval()
    clips = [torch.randn(length, 10) for length in (6, 1, 9)]
    sequence, mask = collate(clips, extra=4, fill=50)
    packed = pack_padded_sequence(sequence, torch.tensor([6, 1, 9]), batch_first=True, enforce_sorted=False)
    _, state = network.gru2(network.gru1(packed)[0])
    torch.testing.assert_close(network.embed(sequence, mask), state[0])
    encoded = network.encode(sequence, mask)
    assert not encoded[mask].any()
    torch.testing.assert_close(encoded[torch.arange(3), torch.tensor([5, 0, 8])], state[0])


@pytest.mark.parametrize(("model", "hidden"), [("gru", (16, 12)), ("gru_large", (32, 24))])
def test_both_sizes_of_fslr_are_options(model, hidden):
    network = from_conf(model, input_dim=2048, num_glosses=105, num_categories=10)
    widths = (2048, *hidden)
    grus = sum(3 * (i * o + o * o + 2 * o) for i, o in pairwise(widths))
    assert count(network) == grus + hidden[1] * 115 + 115


def test_s1_features_do_not_load_inception():
    code = """if True:
        import sys
        from sign_recog.models.gru import SignGRU
        from sign_recog.models.transformer import SignTransformer
        known = {"input_dim": 2048, "num_glosses": 2, "num_categories": 0, "num_languages": 0, "dropout": 0.1}
        SignGRU(hidden1=16, hidden2=12, **known)
        SignTransformer(
            d_model=8, num_layers=1, num_heads=2, ffn_dim=8, head_dropout=0.1, pooling="mean", **known
        )
        print(*sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "torchvision" not in {name.split(".")[0] for name in done.stdout.split()}
