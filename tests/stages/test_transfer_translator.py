"""A translator begins from another one's weights, and no vector of a token is taken for another word's."""

from pathlib import Path

import pytest
import torch
from small_translation import NETWORK, T5, configure
from untrained import write_untrained_translator

from sign_recog import stages
from sign_recog.errors import CheckpointError
from sign_recog.stages.run_folder import plain
from sign_recog.stages.transfer_translator import load_translator_weights, same_tokenizer
from sign_recog.stages.translate import build_network
from sign_recog.storage.checkpoint import read_translation
from sign_recog.text.words import WordTokenizer

WORDS = ["rain", "sun", "wind", "snow", "north", "south"]
BART = (
    "tokenizer=words", "model=bart_base", "model.weights=null", "model.architecture.d_model=16",
    "model.architecture.encoder_layers=1", "model.architecture.decoder_layers=1",
    "model.architecture.encoder_attention_heads=2", "model.architecture.decoder_attention_heads=2",
    "model.architecture.encoder_ffn_dim=16", "model.architecture.decoder_ffn_dim=16",
    "translation.max_source_length=64",
)  # fmt: skip
NETWORKS = {"transformer": (NETWORK, {"embedding.weight"}), "t5": (T5, None), "bart": (BART, None)}


def outcomes_of(folder: Path, network: tuple[str, ...], words: list[str], *, glosses=None, own_glosses=None):
    """What becomes of the weights of a checkpoint for ``WORDS`` in a network for ``words``."""
    config = configure(folder, "run=translate", network=network)
    dims = {"input_dim": None if glosses else 8}
    path = write_untrained_translator(folder / "a.ckpt", config, words=WORDS, glosses=glosses, **dims)
    torch.manual_seed(1)
    own = WordTokenizer(words)
    source = None if own_glosses is None else WordTokenizer(own_glosses).state()
    built = build_network(plain(config)["model"], own, input_dim=None if own_glosses else 8, source_tokenizer=source)
    before = {name: value.clone() for name, value in built.state_dict().items()}
    found = load_translator_weights(built, read_translation(path), tokenizer=own.state(), source_tokenizer=source)
    return {o.name: o for o in found}, before, built.state_dict(), read_translation(path).weights


@pytest.mark.parametrize("kind", NETWORKS)
def test_with_the_same_tokenizer_every_weight_is_taken(tmp_path, kind):
    found, _, after, theirs = outcomes_of(tmp_path, NETWORKS[kind][0], WORDS)
    assert {o.outcome for o in found.values()} == {"loaded"}
    assert all(torch.equal(after[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("words", [WORDS[::-1], [*WORDS, "fog"]], ids=["as many", "more"])
def test_with_another_the_vectors_of_tokens_stay_as_built_and_are_listed(tmp_path, kind, words):
    network, expected = NETWORKS[kind]
    found, before, after, theirs = outcomes_of(tmp_path, network, words)
    dropped = {name for name, o in found.items() if o.outcome != "loaded"}
    assert all("other words" in found[name].reason and "10 entries in the" in found[name].reason for name in dropped)
    by_shape = {name for name, value in theirs.items() if 10 in value.shape}  # sizes are chosen so that only they are
    assert dropped == (expected or by_shape) and dropped
    for name in theirs:
        assert torch.equal(after[name], before[name] if name in dropped else theirs[name]), name


def test_glosses_of_another_vocabulary_keep_their_own_vectors(tmp_path):
    found, before, after, _ = outcomes_of(
        tmp_path, NETWORK, WORDS, glosses=["REGEN", "SONNE"], own_glosses=["SONNE", "REGEN"]
    )
    assert {name for name, o in found.items() if o.outcome != "loaded"} == {"input.embedding.weight"}
    assert torch.equal(after["input.embedding.weight"], before["input.embedding.weight"])


def test_a_translator_of_features_begins_from_one_of_glosses(tmp_path):
    found, *_ = outcomes_of(tmp_path, NETWORK, WORDS, glosses=["REGEN", "SONNE"])
    assert (
        found["input.embedding.weight"].outcome == "dropped" and found["input.projection.weight"].outcome == "missing"
    )
    assert found["layers.0.linear1.weight"].outcome == found["embedding.weight"].outcome == "loaded"


def test_states_are_compared_as_wholes():
    one = WordTokenizer(WORDS).state()
    assert same_tokenizer(one, dict(one)) and not same_tokenizer(one, None) and same_tokenizer(None, None)
    assert not same_tokenizer(one, WordTokenizer(WORDS[::-1]).state())
    piece = {"model": torch.tensor([1, 2], dtype=torch.uint8)}
    assert same_tokenizer(piece, {"model": torch.tensor([1, 2], dtype=torch.uint8)})


def test_a_training_lists_what_it_takes_over(tmp_path, capsys):
    short = ("run=translate", "trainer.max_epochs=1")
    config = configure(tmp_path, *short)
    path = write_untrained_translator(tmp_path / "a.ckpt", config, words=WORDS[::-1], input_dim=8)
    stages.run(configure(tmp_path, *short, f"transfer.checkpoint={path}"))
    said = " ".join(capsys.readouterr().out.split())
    assert f"weights from {path}"[:40] in said and "dropped" in said and "embedding.weight" in said
    wide = write_untrained_translator(
        tmp_path / "b.ckpt", configure(tmp_path, "model.d_model=32", "model.ffn_dim=48"), words=WORDS, input_dim=8
    )
    with pytest.raises(CheckpointError, match="not one weight fits this Seq2SeqTransformer"):
        stages.run(configure(tmp_path, *short, f"transfer.checkpoint={wide}"))
