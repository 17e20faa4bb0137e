"""InceptionV3's features: torchvision's own, of whole frames, in any company."""

import numpy as np
import pytest
import torch

from sign_recog import torchvision_operators
from sign_recog.extractors.inception_v3 import InceptionV3Extractor
from sign_recog.extractors.jobs import Job
from sign_recog.video.reader import read_frames
from sign_recog.video.writer import write_video

SETTINGS = {"target_fps": None, "batch_size": 3, "precision": 32, "device": "cpu", "weights": None}
TOLERANCE = 1e-5  # of the largest feature: float32 noise over 48 layers


def make(**changes):
    return InceptionV3Extractor(**{**SETTINGS, **changes})


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two clips of 2 and 3 different, wide frames."""
    folder, rng = tmp_path_factory.mktemp("videos"), np.random.default_rng(0)
    for length in (2, 3):
        coarse = rng.integers(0, 256, (length, 6, 10, 3), np.uint8)
        write_video(folder / f"{length}.mp4", coarse.repeat(16, axis=1).repeat(16, axis=2), 10)
    return [folder / "2.mp4", folder / "3.mp4"]


@pytest.fixture(scope="module")
def extracted(videos):
    extractor = make()
    return {job.clip_id: found for job, found in extractor.sequences([Job(v.stem, v) for v in videos], num_workers=0)}


def error(features, expected):
    return np.abs(features - expected).max() / np.abs(expected).max()


def test_features_are_torchvision_s_before_its_classifier(videos, tmp_path):
    torchvision_operators.declare_missing()
    from torchvision.models.inception import Inception3
    from torchvision.transforms.functional import normalize, resize, to_tensor

    torch.manual_seed(3)
    # As torchvision builds it for its published weights: with transform_input, and both classifiers.
    network = Inception3(aux_logits=True, transform_input=True, init_weights=False).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # statistics as if trained, or batch norm would be no test
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.02, 0.2)
            module.bias.data.normal_(0, 0.2)
    pooled = []
    network.avgpool.register_forward_hook(lambda _module, _inputs, output: pooled.append(output.flatten(1)))
    torch.save(network.state_dict(), tmp_path / "inception.pth")
    from PIL import Image

    for image, _ in read_frames(videos[0]):
        squashed = to_tensor(resize(Image.fromarray(image), [299, 299]))
        with torch.inference_mode():
            network(normalize(squashed, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))[None])
    sequence = make(weights=str(tmp_path / "inception.pth")).extract(videos[0])
    expected = torch.cat(pooled).numpy()
    assert sequence.features.shape == expected.shape == (2, 2048)
    assert error(sequence.features, expected) < 1e-4  # batch norm is folded into the convolutions
    assert error(expected[0], expected[1]) > 0.01, "the frames give the same features: the test would prove little"


def test_batch_mates_change_a_clip_s_features_by_float_noise_alone(videos, extracted):
    alone = make(batch_size=1).extract(videos[1])
    assert extracted["3"].features.shape == (3, 2048)
    assert error(extracted["3"].features, alone.features) < TOLERANCE
    assert error(extracted["3"].features[0], extracted["3"].features[1]) > 0.01


def test_the_description_says_what_decides_features(extracted):
    assert make().description() == make(batch_size=8, device="auto").description()
    assert extracted["2"].meta["extraction"] == make().description()
    assert make().description()["options"] == {
        "num_frames": 1,
        "sampling_rate": 1,
        "stride": 1,
        "window_rule": "even",
        "target_fps": None,
        "image_size": 299,
        "resize": None,
        "framing": "squash",
        "precision": "32",
    }


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", 0.05), ("fp16", 0.005)])
def test_low_precision_is_close(videos, extracted, precision, tolerance):
    low = make(precision=precision).extract(videos[0])
    assert error(low.features.astype(np.float32), extracted["2"].features) < tolerance


def test_real_clips(test_data):
    clip = test_data / "video_ksl77_koala" / "clips" / "Seoul_example1.mp4"
    found = make(batch_size=8, target_fps=10).extract(clip, 0.0, 1.0)
    assert found.features.shape == (10, 2048)
    assert found.timestamps_ms.tolist() == [100 * k for k in range(10)]
    assert np.isfinite(found.features).all()
