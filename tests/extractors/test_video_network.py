"""Networks over frames and time as extractors: what they give of a window, from which weights, and what is refused."""

import json
import subprocess
import sys
import urllib.error

import numpy as np
import pytest
import torch
from conftest import load_config
from extractors.small_networks import FEATURES, FRAMES, NAMES, PIXELS, features_of, fill, network_of, pictures, small

from sign_recog.errors import CheckpointError, ConfigError
from sign_recog.extractors.base import RANDOM_WEIGHTS
from sign_recog.models.hiera import hiera
from sign_recog.models.i3d import i3d
from sign_recog.models.pixels import IMAGENET_MEAN, IMAGENET_STD
from sign_recog.models.s3d import s3d
from sign_recog.models.swin3d import swin3d
from sign_recog.models.video_resnet import video_resnet
from sign_recog.models.videomae import videomae
from sign_recog.video.writer import write_video

# a network each of those whose vector of a window is a mean over time and space
POOLED = {"s3d": 8, "r2plus1d_18": 8, "i3d": 8, "swin3d_t": 2, "hiera_base": 2, "videomae_base": 2}
TINY_HIERA = {"embed_dim": 16, "num_heads": 1, "stages": [1, 1, 2, 1], "drop_path": 0.0, "published": None}
TINY_VIDEOMAE = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "dropout": 0.0, "published": None}
CLIPS = {"num_frames": FRAMES, "image_size": PIXELS}
TORCHVISIONS = ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))  # of its convolutional networks
BUILT = {
    "s3d": (s3d, *TORCHVISIONS),
    "r2plus1d_18": (lambda: video_resnet("r2plus1d_18"), *TORCHVISIONS),
    "i3d": (lambda: i3d(width=0.25), [0.5] * 3, [0.5] * 3),
    "i3d_bsl1k": (lambda: i3d(width=0.25), [0.5] * 3, [1.0] * 3),
    "swin3d_t": (lambda: swin3d("swin3d_t", drop_path=0.0), IMAGENET_MEAN, IMAGENET_STD),
    "hiera_base": (lambda: hiera(**TINY_HIERA, **CLIPS), [0.45] * 3, [0.225] * 3),
    "videomae_base": (lambda: videomae(**TINY_VIDEOMAE, **CLIPS), IMAGENET_MEAN, IMAGENET_STD),
}

every = pytest.mark.parametrize("name", NAMES)


def test_the_networks_of_the_issue_are_all_there():
    sizes = ("tiny", "small", "base", "base_plus", "large", "huge")
    wanted = {"s3d", "r2plus1d_18", "i3d", "swin3d_t", "mvit_v2_s", "sign_hiera", *(f"hiera_{size}" for size in sizes)}
    assert wanted | {f"videomae_{size}" for size in ("small", "base", "large")} <= set(NAMES)


def test_extractors_are_described_at_full_size_without_their_networks():
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from extractors.small_networks import configured\n"
        f"for name in {NAMES}:\n"
        "    extractor = configured(name)\n"
        "    assert extractor.name == name and extractor.description()['extractor'] == name\n"
        "print(*(m for m in ('sign_recog.models', 'torchvision', 'timm', 'transformers') if m in sys.modules), '-')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["-"]


@every
def test_a_window_becomes_a_vector_or_one_a_time_step(name):
    extractor = small(name)
    found = features_of(extractor, pictures(2))
    assert found.shape == (2, FRAMES // 2 if name == "sign_hiera" else 1, FEATURES[name])
    assert found.isfinite().all() and (found[0] - found[1]).abs().max() > 0
    described = extractor.description()
    assert json.loads(json.dumps(described)) == described
    assert described["weights"] == RANDOM_WEIGHTS and described["options"]["num_frames"] == FRAMES
    assert described["options"]["backbone"]["_target_"].startswith("sign_recog.models.")


def test_a_video_becomes_a_sequence(tmp_path):
    frames = pictures(1, 40)[0]
    write_video(tmp_path / "clip.mp4", frames, 25)
    windows = small("hiera_tiny").extract(tmp_path / "clip.mp4")
    assert windows.features.shape == (4, 128)  # windows from frames 0, 8, 16 and 24
    assert windows.timestamps_ms.tolist() == [0, 320, 640, 960]
    steps = small("hiera_tiny", "tokens=time", "stride=16").extract(tmp_path / "clip.mp4")
    assert steps.features.shape[1] == 128 and steps.meta["tokens_per_window"] == FRAMES // 2
    assert np.diff(steps.timestamps_ms[:8]).tolist() == [80] * 7


@pytest.mark.parametrize(("name", "frames_a_step"), POOLED.items())
def test_vectors_of_time_steps_average_to_the_windows(tmp_path, name, frames_a_step):
    torch.save(fill(BUILT[name][0]().network).state_dict(), tmp_path / "w.pth")
    weights, frames = f"weights={tmp_path / 'w.pth'}", pictures(2)
    steps = features_of(timed := small(name, "tokens=time", weights), frames)
    assert steps.shape == (2, FRAMES // frames_a_step, FEATURES[name]) and timed.tokens_per_window == steps.shape[1]
    network, mean = network_of(timed).backbone, steps.mean(dim=1)
    if name == "hiera_base":
        mean = network.norm(mean)
    if name == "videomae_base":
        mean = network.fc_norm(mean)
    torch.testing.assert_close(mean, features_of(small(name, weights), frames)[:, 0], atol=1e-5, rtol=1e-4)
    assert (steps[:, 0] - steps[:, -1]).abs().max() > 0.01


def test_a_vector_of_a_time_step_is_of_its_time(tmp_path):
    """Only what the last frames show is changed: of a network without attention the first step's vector stays."""
    torch.save(fill(s3d().network).state_dict(), tmp_path / "w.pth")
    extractor = small("s3d", "tokens=time", "num_frames=64", "stride=32", f"weights={tmp_path / 'w.pth'}")
    frames = pictures(1, 64)
    before = features_of(extractor, frames)
    frames[:, -2:] = 0
    changed = (features_of(extractor, frames) - before).abs().amax(dim=2)[0]
    assert changed[0] == 0 and changed[-1] > 0.01


@pytest.mark.parametrize("name", BUILT)
def test_the_vector_is_the_backbones_of_normalised_pictures(tmp_path, name):
    """From the same weights, by hand: channels first, scaled, then the network of models/."""
    built, mean, std = BUILT[name]
    backbone = built()
    network = fill(backbone.network).eval()
    torch.save(network.state_dict() | {f"{backbone.classifier[0]}bias": torch.zeros(3)}, tmp_path / "w.pth")
    frames = pictures(2)
    pixels, shape = torch.from_numpy(frames).permute(0, 4, 1, 2, 3) / 255, (3, 1, 1, 1)
    with torch.no_grad():
        expected = network((pixels - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape))
    extractor = small(name, f"weights={tmp_path / 'w.pth'}")
    found = features_of(extractor, frames)[:, 0]
    assert expected.abs().max() > 0.1 and (expected[0] - expected[1]).abs().max() > 0.01
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)
    assert extractor.description()["weights"].startswith("blake2b-")


def test_weights_of_another_network_are_refused_and_named(tmp_path):
    torch.save(video_resnet("r2plus1d_18").network.state_dict(), tmp_path / "other.pth")
    with pytest.raises(
        CheckpointError, match=r"other\.pth: .* do not fit S3D \(missing: features\.0.*unknown: stem\.0"
    ):
        features_of(small("s3d", f"weights={tmp_path / 'other.pth'}"), pictures(1))
    with pytest.raises(CheckpointError, match=r"extractor\.weights=.*none\.pth: no such file"):
        small("s3d", f"weights={tmp_path / 'none.pth'}")


def test_what_a_library_publishes_is_fetched_and_named_by_its_content(tmp_path, monkeypatch):
    torch.manual_seed(5)
    published = s3d().network.state_dict()
    torch.save(published, tmp_path / "s3d.pth")
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_args, **_named: dict(published))
    downloads, frames = small("s3d", "weights=download"), pictures(1)
    from_file = small("s3d", f"weights={tmp_path / 's3d.pth'}")
    torch.testing.assert_close(features_of(downloads, frames), features_of(from_file, frames))
    said = downloads.description()["weights"]
    assert said.startswith("https://download.pytorch.org/models/s3d-d76dad2f.pth, blake2b-")
    published["features.0.0.0.weight"] = published["features.0.0.0.weight"] + 1
    assert small("s3d", "weights=download").description()["weights"] != said


def test_weights_that_cannot_be_had_are_said_before_any_video_is_read(monkeypatch):
    def no_network(*_args, **_named):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", no_network)
    with pytest.raises(CheckpointError, match=r"s3d-d76dad2f\.pth cannot be had .*Fetch it .* give weights=FILE"):
        small("s3d", "weights=download").description()
    with pytest.raises(CheckpointError, match="nobody publishes weights of Hiera"):
        small("hiera_tiny", "weights=download").description()


def test_tokens_that_a_network_has_not_are_refused():
    with pytest.raises(ConfigError, match=r"extractor\.tokens=frames must be one of window, time"):
        small("s3d", "tokens=frames")
    with pytest.raises(ConfigError, match=r"extractor=mvit_v2_s .*Use extractor\.tokens=window"):
        features_of(small("mvit_v2_s", "tokens=time"), pictures(1))
    with pytest.raises(ConfigError, match=r"extractor\.num_frames=12 is no multiple of that. Use 16, or"):
        features_of(small("s3d", "tokens=time", "num_frames=12", "stride=6"), pictures(1))


def test_windows_that_do_not_suit_a_network_are_refused():
    with pytest.raises(ConfigError, match=r"extractor=s3d .* at least 5, not extractor\.num_frames=4"):
        features_of(small("s3d", "num_frames=4", "stride=4"), pictures(1))
    with pytest.raises(ConfigError, match=r"extractor\.image_size=32: .* pictures of 64 pixels"):
        features_of(small("hiera_tiny", "backbone.image_size=64"), pictures(1))
    with pytest.raises(ConfigError, match=r"Hiera needs pictures .* image_size=40 is none. Use 32"):
        features_of(small("hiera_tiny", "image_size=40"), pictures(1))
    with pytest.raises(ConfigError, match=r"extractor\.name=a/b is no name of a folder"):
        small("s3d", "name=a/b")


def test_settings_that_a_network_has_not_are_refused_at_once():
    with pytest.raises(ConfigError, match=r"extractor\.backbone\.depth=3: sign_recog\.models\.s3d\.s3d has no such"):
        load_config("run=extract_features", "modality=features", "extractor=s3d", "+extractor.backbone.depth=3")


def test_an_augmented_copy_shares_the_network(monkeypatch):
    extractor = small("hiera_tiny", "tokens=time")
    other = extractor.augmented(1, [], 7)
    network_of(extractor)
    monkeypatch.setattr(type(extractor), "build_backbone", lambda _self: pytest.fail("built again"))
    assert features_of(other, pictures(1)).shape == (1, FRAMES // 2, 128)


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", 0.05), ("fp16", 0.01)])
@pytest.mark.parametrize("name", ["i3d", "hiera_base", "sign_hiera"])
def test_low_precision_is_close(name, precision, tolerance):
    def found(precision):
        extractor = small(name, f"precision={precision}")
        fill(network_of(extractor).backbone)
        return features_of(extractor, pictures(2), [0, 6])

    exact, low = found(32), found(precision)
    assert low.dtype == (torch.float16 if precision == "fp16" else torch.float32)
    assert 0 < (low.float() - exact).abs().max() / exact.abs().max() < tolerance
