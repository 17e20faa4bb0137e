"""Promises that every network keeps: shapes, indifference to padding and batch, embeddings, learning."""

import pytest
import torch
from models.networks import KEYPOINT_NETWORKS, NETWORKS, build, collate, make_clip
from torch import nn

from sign_recog.errors import ConfigError

every = pytest.mark.parametrize("name", NETWORKS)


@every
def test_logits_have_a_column_for_every_class(name):
    batch = collate([make_clip(name, 5), make_clip(name, 9)])
    logits = build(name)(*batch)
    assert logits["gloss_logits"].shape == (2, 7) and logits["category_logits"].shape == (2, 3)
    assert set(build(name, num_categories=0)(*batch)) == {"gloss_logits"}


@every
@pytest.mark.parametrize("grad", [False, True])  # without gradients PyTorch takes a fused path of its own
def test_padding_and_batch_mates_do_not_change_a_clips_logits(name, grad):
    network = build(name).eval()
    clips = [make_clip(name, length) for length in (1, 4, 9, 30)]
    garbage = 200 if name == "vtn" else 1e3
    with torch.set_grad_enabled(grad):
        alone = [network(*collate([clip])) for clip in clips]
        for extra, fill in ((0, 0), (13, 0), (13, garbage)):
            together = network(*collate(clips, extra, fill))
            for i, single in enumerate(alone):
                for key in single:
                    torch.testing.assert_close(together[key][i], single[key][0], atol=1e-5, rtol=1e-5)


@every
def test_the_fused_path_of_inference_gives_the_numbers_of_training(name):
    network = build(name).eval()
    batch = collate([make_clip(name, length) for length in (3, 8, 20)], extra=2)
    with_gradients = network(*batch)
    with torch.inference_mode():
        torch.testing.assert_close(network(*batch), with_gradients, atol=1e-5, rtol=1e-5)


@every
def test_in_training_without_dropout_padding_does_not_matter_either(name):
    network = build(name).train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
        if hasattr(module, "drop_path"):
            module.drop_path = 0.0
        if isinstance(module, nn.BatchNorm2d):
            module.eval()  # its statistics are of the batch, as they should be
    clips = [make_clip(name, 3), make_clip(name, 8)]
    alone = network(*collate(clips[:1]))["gloss_logits"]
    together = network(*collate(clips, extra=5, fill=200))["gloss_logits"]
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=1e-5)


@every
def test_any_length_is_accepted(name):
    longer = 310 if name == "vtn" else 1200
    with torch.inference_mode():
        logits = build(name).eval()(*collate([make_clip(name, longer)]))
    assert torch.isfinite(logits["gloss_logits"]).all()


@every
def test_the_order_of_frames_matters(name):
    network, clip = build(name).eval(), make_clip(name, 12)
    forward, backward = (network(*collate([c]))["gloss_logits"] for c in (clip, clip.flip(0)))
    assert (forward - backward).abs().max() > 1e-3


@every
def test_the_gradient_reaches_every_weight(name):
    network = build(name, num_languages=3)
    logits = network(*collate([make_clip(name, length) for length in (6, 9, 12, 7)]), torch.tensor([0, 1, 2, 2]))
    (_loss(logits, 7) + _loss(logits, 5)).backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().any()]
    assert without == []


@pytest.mark.parametrize("name", KEYPOINT_NETWORKS)
def test_a_batch_can_be_fitted(name):
    network = build(name)
    batch = collate([make_clip(name, length) for length in (6, 9, 12, 7)])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(120):
        optimizer.zero_grad()
        _loss(network(*batch), 7).backward()
        optimizer.step()
    assert _loss(network.eval()(*batch), 7) < 0.5


def _loss(logits, num_glosses):
    gloss = nn.functional.cross_entropy(logits["gloss_logits"], torch.tensor([0, 1, 2, 3]) % num_glosses)
    return gloss + nn.functional.cross_entropy(logits["category_logits"], torch.tensor([0, 1, 2, 0]))


@every
def test_embeddings_on_the_way_have_their_shapes_and_lead_to_the_logits(name):
    network = build(name).eval()
    sequence, mask = collate([make_clip(name, 5), make_clip(name, 9)])
    assert network.embed_frames(sequence, mask).shape[:2] == (2, 9)
    assert network.encode(sequence, mask).shape[:2] == (2, 9)
    embedding = network.embed(sequence, mask)
    torch.testing.assert_close(network.heads(embedding), network(sequence, mask))
    assert embedding.shape == (2, network.encode(sequence, mask).shape[2])


@every
def test_a_clips_language_has_a_say_where_there_are_several(name):
    network = build(name, num_languages=3).eval()
    batch = collate([make_clip(name, 5)])
    first, again, other = (network(*batch, torch.tensor([language])) for language in (0, 0, 2))
    torch.testing.assert_close(first, again)
    for key in first:
        assert (first[key] - other[key]).abs().max() > 1e-3
    with pytest.raises(ConfigError, match="knows 3 languages and was given none"):
        network(*batch)


@every
def test_one_language_is_as_none(name):
    none, one = (build(name, num_languages=n).eval() for n in (0, 1))
    one.load_state_dict(none.state_dict(), strict=True)
    batch = collate([make_clip(name, 5)])
    torch.testing.assert_close(one(*batch, torch.tensor([0])), none(*batch))


@every
def test_the_layers_of_the_logits_can_be_found(name):
    network = build(name).eval()
    layers = network.heads.output_layers()
    assert {label: layer.out_features for label, layer in layers.items()} == {"gloss": 7, "category": 3}
    with torch.no_grad():
        for layer in layers.values():
            layer.weight.zero_()
            layer.bias.copy_(torch.arange(layer.out_features))
    logits = network(*collate([make_clip(name, 5)]))
    for label in layers:
        assert logits[f"{label}_logits"][0].tolist() == list(range(layers[label].out_features))


@every
def test_parts_are_called_the_same(name):
    parts = {part for part, _ in build(name).named_children()}
    expected = {"heads"} if name == "gru" else {"projection", "layers", "heads"}
    assert expected <= parts


@every
def test_the_same_seed_gives_the_same_network(name):
    first, second = build(name).state_dict(), build(name).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", ["transformer_cls", "poseformer", "vtn"])
def test_one_graph_serves_clips_of_all_lengths_and_batches_of_all_sizes(name):
    network = build(name).eval()
    axes = {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}
    example = collate([make_clip(name, length) for length in (5, 12)])
    graph = torch.export.export(network, example, dynamic_shapes=(axes, axes)).module()
    for lengths in ((1,), (40, 3, 7), (311,)):
        batch = collate([make_clip(name, length) for length in lengths], extra=2)
        torch.testing.assert_close(graph(*batch), network(*batch), atol=1e-4, rtol=1e-4)
