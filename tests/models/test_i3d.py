import pytest
import torch
from models.networks import count
from torch import nn

from sign_recog.errors import CheckpointError, ConfigError
from sign_recog.models.i3d import I3D, i3d, same_pad
from sign_recog.models.pretrained import start_from

# Output channels of Inception-v1's parts, and what a mixed part joins: Table 1 of Szegedy et al. 2015.
JOINED = {
    "Mixed_3b": 256, "Mixed_3c": 480, "Mixed_4b": 512, "Mixed_4c": 512, "Mixed_4d": 512, "Mixed_4e": 528,
    "Mixed_4f": 832, "Mixed_5b": 832, "Mixed_5c": 1024,
}  # fmt: skip


def test_names_are_those_of_the_public_port():
    units = ["Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3"]
    units += [f"{mixed}.{branch}" for mixed in JOINED for branch in ("b0", "b1a", "b1b", "b2a", "b2b", "b3b")]
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {f"{unit}.conv3d.weight" for unit in units} | {f"{unit}.bn.{x}" for unit in units for x in norm}
    assert set(I3D(1.0).state_dict()) == expected


def test_the_size_is_the_papers():
    """Carreira and Zisserman 2017, Table 1, and the port: 12.29 M without the classifier of 400 classes."""
    with torch.device("meta"):
        network = I3D(1.0)
    assert count(network) == 12_287_264
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm3d)]
    assert len(norms) == 57 and {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}


def test_maps_have_the_papers_sizes():
    """Time is halved three times and space five times; at 64 x 224 x 224 the last map is 8 x 7 x 7."""
    sizes = {}
    network = i3d(width=1 / 16).network.eval()
    for name, part in network.named_children():
        part.register_forward_hook(lambda _, __, maps, name=name: sizes.update({name: tuple(maps.shape[1:])}))
    with torch.no_grad():
        assert network(torch.randn(1, 3, 64, 224, 224)).shape == (1, 64)
    assert sizes["Conv3d_1a_7x7"] == (4, 32, 112, 112)
    assert sizes["Conv3d_2c_3x3"] == (12, 32, 56, 56)
    assert sizes["Mixed_3c"] == (480 // 16, 32, 28, 28)
    assert sizes["Mixed_4f"] == (832 // 16, 16, 14, 14)
    assert sizes["Mixed_5c"] == (1024 // 16, 8, 7, 7)
    assert sizes["pool"] == (64, 7, 1, 1)


def test_channels_are_inceptions():
    widths = {}
    network = I3D(1.0).eval()
    for name, part in network.named_children():
        part.register_forward_hook(lambda _, __, maps, name=name: widths.update({name: maps.shape[1]}))
    with torch.no_grad():
        network(torch.randn(1, 3, 1, 32, 32))
    assert {name: widths[name] for name in JOINED} == JOINED


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    # TensorFlow's SAME: max((ceil(size / stride) - 1) * stride + kernel - size, 0), the smaller half in front
    [
        (224, 7, 2, (2, 3)), (225, 7, 2, (3, 3)), (112, 3, 2, (0, 1)), (7, 3, 2, (1, 1)), (5, 3, 1, (1, 1)),
        (3, 1, 1, (0, 0)), (5, 2, 2, (0, 1)),
    ],
)  # fmt: skip
def test_padding_is_tensorflows(size, kernel, stride, padding):
    maps = torch.ones(1, 1, 1, 1, size)
    padded = same_pad(maps, (1, 1, kernel), (1, 1, stride))[0, 0, 0, 0]
    front, behind = padding
    assert padded.tolist() == [0.0] * front + [1.0] * size + [0.0] * behind
    assert (len(padded) - kernel) // stride + 1 == -(-size // stride)


def test_the_vector_gives_the_mean_over_time_of_the_ports_logits():
    """The port's end: windows of (2, 7, 7), a convolution of 1, and logits over time, of which the mean is taken."""
    network, maps = I3D(1 / 8).eval(), {}
    network.Mixed_5c.register_forward_hook(lambda _, __, found: maps.update(last=found))
    classifier = nn.Conv3d(network.feature_dim, 5, 1)
    with torch.no_grad():
        vector = network(torch.randn(1, 3, 32, 224, 224))
        logits = classifier(nn.AvgPool3d((2, 7, 7), stride=1)(maps["last"])).squeeze(4).squeeze(3)  # (B, G, T)
        assert logits.shape == (1, 5, 3)
        own = nn.functional.linear(vector, classifier.weight.flatten(1), classifier.bias)
    torch.testing.assert_close(own, logits.mean(dim=2), atol=1e-5, rtol=1e-4)


def test_a_file_of_the_port_loads_and_another_width_does_not(tmp_path):
    given = I3D(1.0).state_dict()
    file = {**given, "logits.conv3d.weight": torch.zeros(400, 1024, 1, 1, 1), "logits.conv3d.bias": torch.zeros(400)}
    torch.save(file, tmp_path / "rgb_imagenet.pt")
    backbone = i3d(width=1.0)
    start_from(backbone.network, str(tmp_path / "rgb_imagenet.pt"), without=backbone.classifier)
    assert all(torch.equal(given[name], weight) for name, weight in backbone.network.state_dict().items())
    with pytest.raises(CheckpointError, match=r"do not fit I3D \(of another shape: Conv3d_1a_7x7.conv3d.weight"):
        start_from(i3d(width=0.5).network, str(tmp_path / "rgb_imagenet.pt"), without=("logits.",))


def test_too_narrow_a_network_is_refused():
    with pytest.raises(ConfigError, match=r"leaves a layer without channels"):
        i3d(width=0.01)
