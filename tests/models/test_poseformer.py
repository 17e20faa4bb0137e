import pytest
import torch
from models.networks import build, collate, count, encoder_layer_size, from_conf

from sign_recog.errors import ConfigError
from sign_recog.models.poseformer import ResidualConvolutions

EMBEDDINGS = {
    "residual": lambda i, d: i * d + d + 2 * (d * d + d),
    "plain": lambda i, d: i * d + d + d * d + d,
    "none": lambda i, d: i * d + d,
}


@pytest.mark.parametrize("pose_embedding", EMBEDDINGS)
def test_the_default_has_the_size_of_the_released_ones(pose_embedding):
    network = from_conf("poseformer", input_dim=134, num_glosses=89, num_categories=0, pose_embedding=pose_embedding)
    filters = sum(134 * k + 134 for k in (3, 5, 7, 9))
    convolutions = 2 * sum(192 * k + 192 for k in (3, 5, 7, 9))
    encoder = 192 + 4 * encoder_layer_size(192, 384) + 2 * 192
    assert count(network) == filters + EMBEDDINGS[pose_embedding](134, 192) + convolutions + encoder + 192 * 89 + 89


def test_an_embedding_of_none_is_linear():
    projection = build("poseformer_none").projection
    a, b, zero = torch.randn(3, 10), torch.randn(3, 10), torch.zeros(3, 10)
    torch.testing.assert_close(projection(a + b) + projection(zero), projection(a) + projection(b))


def test_frames_of_padding_are_zero_after_every_convolution():
    network = build("poseformer").eval()
    seen = []
    for module in network.modules():
        if isinstance(module, ResidualConvolutions):
            module.register_forward_hook(lambda m, given, result: seen.append(result))
    sequence, mask = collate([torch.randn(4, 10), torch.randn(9, 10)], extra=3, fill=7.0)
    with torch.no_grad():
        network.embed_frames(sequence, mask)
        assert len(seen) == 4 and all(not x.transpose(1, 2)[mask].any() for x in seen)
        for convolution in [m for m in network.modules() if isinstance(m, torch.nn.Conv1d)]:
            convolution.weight.zero_()
            convolution.bias.fill_(1)  # a convolution that answers 1 to zeros
        seen.clear()
        network.embed_frames(sequence, mask)
    torch.testing.assert_close(seen[-1].transpose(1, 2)[~mask], sequence[~mask] + 4)
    assert not seen[-1].transpose(1, 2)[mask].any()


def test_a_filter_sees_half_its_kernel_to_each_side():
    block = ResidualConvolutions(2, 5, 1)
    frames, padding = torch.randn(1, 2, 20), torch.zeros(1, 1, 20, dtype=torch.bool)
    changed = frames.clone()
    changed[0, 1, 10] += 1
    difference = (block(changed, padding) - block(frames, padding)).abs()[0]
    assert difference[1].nonzero().flatten().tolist() == [8, 9, 10, 11, 12]
    assert not difference[0].any()  # depthwise


@pytest.mark.parametrize("sizes", [[3, 4], [0], [-3]])
def test_a_kernel_without_middle_is_refused(sizes):
    with pytest.raises(ConfigError, match=r"model\.kernel_sizes.*odd"):
        from_conf("poseformer", input_dim=4, num_glosses=2, num_categories=0, kernel_sizes=sizes)


def test_an_unknown_pose_embedding_is_refused():
    with pytest.raises(ConfigError, match="Use residual, plain or none"):
        from_conf("poseformer", input_dim=4, num_glosses=2, num_categories=0, pose_embedding="dense")
