"""Encoder-decoders of transformers, from folders made here."""

import json
import shutil

import pytest
import torch
import transformers
from models.networks import count
from models.translation.translators import BART, DIM, IDS, T5, VOCAB, build, collate, labels_of, node, sources
from safetensors.torch import load_file
from torch import nn

from sign_recog.errors import CheckpointError, ConfigError
from sign_recog.models.translation import hub
from sign_recog.stages.build import build as build_node

SENTENCES = [[5, 6, 7], [8, 9]]
# number of weights of the published networks, and how many rows their token vectors have
PUBLISHED = {
    "t5_small": (60_506_624, 32128),
    "t5_base": (222_903_552, 32128),
    "t5_v1_1_base": (247_577_856, 32128),
    "mt5_small": (300_176_768, 250112),
    "byt5_small": (299_637_760, 384),
    "bart_base": (139_420_416, 50265),
}
KINDS = {
    "t5": {"model_type": "t5", **T5},
    "t5_v1_1": {"model_type": "t5", "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, **T5},
    "bart": {"model_type": "bart", **BART},
}
TOKENS = {"pad_token_id": 1, "eos_token_id": 2, "bos_token_id": 0, "decoder_start_token_id": 1}


@pytest.fixture
def folder(tmp_path):
    """A function that writes a folder as the library does, with random weights, and returns it and the network."""

    def write(kind="t5", rows=VOCAB, config=None, **values):
        torch.manual_seed(7)
        network = hub.make({**TOKENS, "vocab_size": rows, **KINDS[kind], **values})
        network.save_pretrained(tmp_path / kind)
        path = tmp_path / kind / "config.json"
        said = json.loads(path.read_text()) | (config or {})
        if kind == "t5_v1_1":  # as published: some versions of the library write other values
            said["tie_word_embeddings"] = False
            said.pop("scale_decoder_outputs", None)
        path.write_text(json.dumps(said))
        return tmp_path / kind, network.eval()

    return write


def load(where, **settings):
    return build_node(
        node("encoder_decoder", **{"weights": str(where)} | settings),
        **{"input_dim": DIM, "num_source_tokens": None, "vocab_size": VOCAB, **IDS},
    ).eval()


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_those_of_the_published_networks(name):
    weights, rows = PUBLISHED[name]
    with torch.device("meta"):
        network = hub.make(node(name)["architecture"] | {"vocab_size": rows})
    assert count(network) == weights


@pytest.mark.parametrize("kind", KINDS)
def test_a_folders_weights_are_used_as_the_library_uses_them(folder, kind):
    where, original = folder(kind)
    network, (batch, mask) = load(where), collate(sources([5, 8]))
    assert network.pretrained == str(where)
    labels = labels_of(SENTENCES)
    start = IDS["eos_id"] if kind == "bart" else IDS["pad_id"]
    inputs = nn.functional.pad(labels[:, :-1].clamp(min=1), (1, 0), value=start)
    embedded = nn.functional.linear(batch, network.projection.weight, network.projection.bias)
    with torch.no_grad():
        network.scale.fill_(1.7)
        expected = original(inputs_embeds=1.7 * embedded, attention_mask=(~mask).long(), decoder_input_ids=inputs)
        torch.testing.assert_close(network(batch, mask, labels), expected.logits, atol=1e-5, rtol=1e-4)


def test_the_map_of_frames_begins_as_s3s():
    torch.manual_seed(0)
    sizes = {"input_dim": 768, "num_source_tokens": None, "vocab_size": VOCAB, **IDS}
    network = build_node(node("t5_small", architecture={"num_layers": 1, "num_decoder_layers": 1}), **sizes)
    assert network.scale.item() == 1 and network.scale.requires_grad
    assert network.projection.weight.shape == (512, 768) and not network.projection.bias.any()
    assert network.projection.weight.std().item() == pytest.approx(512**-0.5, rel=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_needs_no_folder(folder, kind):
    where, _ = folder(kind)
    first, batch = load(where), collate(sources([5, 8]))
    if kind == "t5_v1_1":
        assert first.backbone.lm_head.weight is not first.backbone.shared.weight
    weights, rebuild = first.state_dict(), json.loads(json.dumps(first.rebuild))
    shutil.rmtree(where)
    again = load("gone", **rebuild)
    again.load_state_dict(weights, strict=True)
    assert again.pretrained is None
    torch.testing.assert_close(again(*batch, labels_of(SENTENCES)), first(*batch, labels_of(SENTENCES)))
    assert again.generate(*batch, num_beams=2, max_length=5, length_penalty=1.0) == first.generate(
        *batch, num_beams=2, max_length=5, length_penalty=1.0
    )


def test_logits_of_t5_1_1_have_a_matrix_of_their_own_and_t5s_are_scaled_token_vectors(folder):
    for kind, tied in (("t5", True), ("t5_v1_1", False)):
        network = build(kind)
        own = network.backbone.lm_head.weight is network.backbone.shared.weight
        assert own == tied
        state = torch.randn(1, 1, 32)
        logits = []
        network.backbone.decoder.forward = lambda *a, s=state, **k: _Output(s)
        logits = network.backbone(inputs_embeds=state, decoder_input_ids=torch.tensor([[1]])).logits
        expected = state @ network.backbone.lm_head.weight.T * (32**-0.5 if tied else 1)
        torch.testing.assert_close(logits, expected)


class _Output(tuple):
    """What a decoder returns, as far as it is read."""

    last_hidden_state = past_key_values = hidden_states = attentions = cross_attentions = None

    def __new__(cls, state):
        made = super().__new__(cls, (state,))
        made.last_hidden_state = state
        return made


@pytest.mark.parametrize("name", ["t5", "t5_v1_1", "mt5", "bart"])
def test_logits_of_random_weights_begin_small(name):
    """So that learning from scratch begins near the loss of guessing."""
    logits = build(name).eval()(*collate(sources([5, 8])), labels_of(SENTENCES))
    assert logits.std() < 2


def test_an_output_matrix_that_config_json_denies_is_refused(folder):
    if int(transformers.__version__.split(".")[0]) < 5:
        pytest.skip("transformers 4 reads no second matrix where config.json ties them")
    where, _ = folder("t5_v1_1")
    said = json.loads((where / "config.json").read_text())
    (where / "config.json").write_text(json.dumps(said | {"tie_word_embeddings": True}))
    with pytest.raises(CheckpointError, match="a matrix for each"):
        load(where)


def test_a_missing_output_matrix_is_said_where_it_is_one_of_its_own(folder):
    where, original = folder("t5_v1_1")
    weights = original.state_dict()
    del weights["lm_head.weight"]
    (where / "model.safetensors").unlink()
    torch.save(weights, where / "pytorch_model.bin")
    with pytest.warns(UserWarning, match=r"no output matrix of its own \(lm_head\.weight\)"):
        load(where)
    where, original = folder("t5")
    assert "lm_head.weight" not in load_file(where / "model.safetensors")  # made by the token vectors
    network = load(where)
    assert network.backbone.lm_head.weight is network.backbone.shared.weight


def test_weights_in_shards_and_in_torchs_format_are_read(folder):
    where, original = folder()
    reference = load(where).state_dict()
    original.save_pretrained(where, max_shard_size="20KB")
    assert len(list(where.glob("model-*.safetensors"))) > 1
    (where / "model.safetensors").unlink(missing_ok=True)
    assert _equal(load(where).state_dict(), reference)
    for path in where.glob("model*.safetensors*"):
        path.unlink()
    torch.save(original.state_dict(), where / "pytorch_model.bin")
    assert _equal(load(where).state_dict(), reference)


def test_bfloat16_weights_are_trained_in_float32(folder):
    where, original = folder()
    original.bfloat16().save_pretrained(where)
    assert {p.dtype for p in load(where).parameters()} == {torch.float32}


def test_rows_beyond_the_tokenizers_are_no_tokens(folder):
    where, _ = folder(rows=VOCAB + 5)
    network, batch = load(where), collate(sources([5, 8]))
    with torch.no_grad():
        weight = network.backbone.lm_head.weight
        weight[VOCAB], weight[VOCAB + 1] = 50 * weight[7], -50 * weight[7]  # one of them is the likeliest
    assert network(*batch, labels_of(SENTENCES)).shape[2] == VOCAB
    for num_beams in (1, 3):
        for found in network.generate(*batch, num_beams=num_beams, max_length=6, length_penalty=1.0):
            assert max([0, *found[0].tokens]) < VOCAB


@pytest.mark.parametrize(
    ("rows", "config", "said"),
    [
        (VOCAB - 1, {}, f"{VOCAB} tokens, not {VOCAB - 1}"),
        (VOCAB + 200, {}, f"{VOCAB} tokens, not {VOCAB + 200}"),
        (VOCAB, {"eos_token_id": 5}, "eos_token_id 2, not 5"),
    ],
)
def test_another_tokenizer_is_refused_or_begun_anew(folder, rows, config, said):
    where, original = folder(rows=rows, config=config)
    with pytest.raises(ConfigError, match=f"does not go with the weights.*{said}.*new_vocabulary=true"):
        load(where)
    network, batch = load(where, new_vocabulary=True), collate(sources([5, 8]))
    assert network.backbone.shared.weight.shape[0] == VOCAB
    assert network.backbone.lm_head.weight is network.backbone.shared.weight
    block = network.backbone.encoder.block[0].layer[0].SelfAttention.q.weight
    assert torch.equal(block, original.encoder.block[0].layer[0].SelfAttention.q.weight)
    again = load("gone", **network.rebuild)
    again.load_state_dict(network.state_dict(), strict=True)
    torch.testing.assert_close(again(*batch, labels_of(SENTENCES)), network(*batch, labels_of(SENTENCES)))


@pytest.mark.parametrize("kind", ["t5_v1_1", "bart"])
def test_new_token_vectors_are_spread_as_the_old_ones(folder, kind):
    where, original = folder(kind, rows=1000)
    network = load(where, new_vocabulary=True)
    assert not torch.equal(network.backbone.get_input_embeddings().weight[:VOCAB], original.model.shared.weight[:VOCAB]
                           if kind == "bart" else original.shared.weight[:VOCAB])  # fmt: skip
    for part in ("get_input_embeddings", "get_output_embeddings"):
        new, old = (getattr(n, part)().weight for n in (network.backbone, original))
        assert new.shape[0] == VOCAB and new.std().item() == pytest.approx(old.std().item(), rel=0.15)


def test_weights_of_another_network_than_chosen_are_refused(folder):
    where, _ = folder()
    known = {"input_dim": DIM, "num_source_tokens": None, "vocab_size": VOCAB, **IDS}
    with pytest.raises(ConfigError, match=r"another network.*d_model 32, not 512.*model=encoder_decoder"):
        build_node(node("t5_small", weights=str(where)), **known)
    assert build_node(node("t5_small", weights=str(where), architecture=T5), **known).pretrained == str(where)


def test_folders_that_cannot_be_used_are_refused_with_their_reason(folder, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        load(empty)
    where, original = folder()
    path = where / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="cannot be had"):
        load(where)
    path.unlink()
    with pytest.raises(CheckpointError, match="holds no weights"):
        load(where)
    torch.save({**original.state_dict(), "more": print}, where / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="cannot be had"):  # a file that would run code
        load(where)
    some = {k: v for k, v in original.state_dict().items() if "block.1" not in k}
    torch.save(some, where / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"do not fit their own config\.json .*missing: .*block\.1"):
        load(where)
    config = json.loads((where / "config.json").read_text())
    (where / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(ConfigError, match="of the kind bert"):
        load(where)
    (where / "config.json").write_text("{")
    with pytest.raises(CheckpointError):
        load(where)


def test_what_is_not_there_is_said(monkeypatch):
    with pytest.raises(ConfigError, match=r"takes its sizes from a folder.*model\.weights=FOLDER"):
        build_node(node("encoder_decoder"), input_dim=6, num_source_tokens=None, vocab_size=9, **IDS)
    with pytest.raises(ConfigError, match="not published"):
        load("download")

    def no_network(*args, **kwargs):
        raise OSError("no route to host")

    from transformers import PretrainedConfig

    monkeypatch.setattr(PretrainedConfig, "get_config_dict", no_network)
    with pytest.raises(CheckpointError, match=r"google-t5/t5-small: .*no route to host.*model\.weights=FOLDER"):
        build("t5", weights="download")


@pytest.mark.parametrize("name", ["t5", "bart", "m2m_100"])
def test_dropout_reaches_every_layer(name):
    network = build(name, dropout=0.37)
    given = [m.p for m in network.modules() if isinstance(m, nn.Dropout)]
    given += [
        value
        for module in network.modules()
        for key, value in vars(module).items()
        if "dropout" in key and isinstance(value, float)
    ]
    assert given and set(given) == {0.37}


def test_dropout_of_a_folder_is_the_settings(folder):
    where, _ = folder("bart", dropout=0.9, attention_dropout=0.9)
    layer = load(where, dropout=0.2).backbone.model.decoder.layers[0]
    assert (layer.dropout, layer.self_attn.dropout, layer.activation_dropout) == (0.2, 0.2, 0.2)


def test_habits_that_came_with_the_weights_are_left_behind(folder):
    where, original = folder("bart")
    plain, batch = load(where), collate(sources([5, 8]))
    original.generation_config.update(forced_bos_token_id=9, no_repeat_ngram_size=1, num_beams=4, max_length=3)
    original.generation_config.save_pretrained(where)
    said = json.loads((where / "config.json").read_text())
    (where / "config.json").write_text(json.dumps(said | {"forced_bos_token_id": 9, "forced_eos_token_id": 2}))
    other = load(where)
    other.load_state_dict(plain.state_dict())
    settings = {"num_beams": 2, "max_length": 9, "length_penalty": 1.0}
    assert other.generate(*batch, **settings) == plain.generate(*batch, **settings)


def test_what_bart_has_no_positions_for_is_refused():
    network = build("bart").eval()
    assert network.max_source_positions == network.max_target_positions == 64
    search = {"num_beams": 1, "max_length": 64, "length_penalty": 1.0}
    network.generate(*collate(sources([64])), **search)
    with pytest.raises(ConfigError, match=r"65 frames or glosses.*positions for 64"):
        network.generate(*collate(sources([65])), **search)
    with pytest.raises(ConfigError, match=r"max_length=65: .*at most 64"):
        network.generate(*collate(sources([9])), **search | {"max_length": 65})
    with pytest.raises(ConfigError, match=r"70 tokens.*positions for 64"):
        network(*collate(sources([9])), labels_of([[5] * 69]))


def test_s3_t5_says_why_float16_is_refused():
    for name, refused in (("t5", True), ("t5_v1_1", True), ("mt5", True), ("bart", False), ("plain", False)):
        reason = build(name).no_fp16
        assert (reason is not None) == refused and (not refused or "65504" in reason)


def _equal(first, second):
    return first.keys() == second.keys() and all(
        torch.equal(first[k], second[k]) for k in first if not k.startswith("projection")
    )
