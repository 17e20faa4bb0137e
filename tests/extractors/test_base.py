"""Frozen networks: windows, batches and weights, with a network whose features have a closed form."""

import json
import math

import numpy as np
import pytest
import torch
from extractor_fakes import ColourExtractor, TokenExtractor

from sign_recog.errors import CheckpointError, ConfigError, DataError, SignRecogError
from sign_recog.extractors.base import RANDOM_WEIGHTS
from sign_recog.extractors.jobs import Job
from sign_recog.storage.features import read_features, write_features
from sign_recog.video.reader import read_frames
from sign_recog.video.transforms import Grayscale, HorizontalFlip, RandAugment, RandomResizedCrop
from sign_recog.video.writer import write_video


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Clips of 1 to 9 frames of one colour each, 10 frames/s."""
    folder, rng = tmp_path_factory.mktemp("videos"), np.random.default_rng(0)
    for length in (1, 4, 9, 6):
        frames = [np.full((16, 16, 3), rng.integers(0, 256, 3), np.uint8) for _ in range(length)]
        write_video(folder / f"{length}.mp4", frames, 10)
    return [folder / f"{length}.mp4" for length in (1, 4, 9, 6)]


@pytest.fixture
def doubling(tmp_path):
    """Weights that double the mean colour."""
    torch.save({"weight": 2 * torch.eye(3), "bias": torch.zeros(3)}, tmp_path / "doubling.pth")
    return str(tmp_path / "doubling.pth")


def colours(video):
    return np.array([image.mean((0, 1)) for image, _ in read_frames(video)])


def extracted(extractor, videos, num_workers):
    jobs = [Job(video.stem, video) for video in videos]
    return {job.clip_id: result for job, result in extractor.sequences(jobs, num_workers=num_workers)}


def test_features_are_the_network_s_of_every_frame(videos, doubling, tmp_path):
    sequence = ColourExtractor(weights=doubling).extract(videos[2])
    np.testing.assert_allclose(sequence.features, 2 * colours(videos[2]), rtol=1e-6)
    assert sequence.features.dtype == np.float32
    assert sequence.timestamps_ms.tolist() == [100 * k for k in range(9)]
    meta = sequence.meta
    said = {"num_frames": 1, "sampling_rate": 1, "stride": 1, "window_rule": "even", "fps": 10}
    counts = {"num_windows": 9, "num_padding": 0, "tokens_per_window": 1, "num_clip_frames": 9, "num_source_frames": 9}
    assert {name: meta[name] for name in said | counts} == said | counts
    assert meta["weights_file"] == "doubling.pth"
    write_features(tmp_path / "a.npz", sequence)
    assert read_features(tmp_path / "a.npz").meta == meta


def test_windows_give_one_vector_each_and_the_last_ends_on_the_last_frame(videos, doubling):
    sequence = ColourExtractor(weights=doubling, num_frames=4, stride=3).extract(videos[2])
    expected = [2 * colours(videos[2])[start : start + 4].mean(0) for start in (0, 3, 5)]
    np.testing.assert_allclose(sequence.features, expected, rtol=1e-6)
    assert sequence.timestamps_ms.tolist() == [0, 300, 500]
    short = ColourExtractor(weights=doubling, num_frames=4, stride=3).extract(videos[0])
    np.testing.assert_allclose(short.features, 2 * colours(videos[0]), rtol=1e-6)


def test_spans_and_target_fps_are_kept(videos, doubling):
    sequence = ColourExtractor(weights=doubling, target_fps=5).extract(videos[2], 0.2, 0.6)
    np.testing.assert_allclose(sequence.features, 2 * colours(videos[2])[[2, 4]], rtol=1e-6)
    assert sequence.timestamps_ms.tolist() == [0, 200]


@pytest.mark.parametrize(("batch_size", "num_workers"), [(1, 0), (3, 0), (64, 0), (3, 1), (7, 3)])
def test_batch_mates_change_nothing_and_every_batch_but_the_last_is_full(videos, batch_size, num_workers):
    extractor = ColourExtractor(batch_size=batch_size)
    found = extracted(extractor, videos, num_workers)
    assert set(found) == {video.stem for video in videos}
    for video in videos:
        alone = ColourExtractor().extract(video)
        np.testing.assert_allclose(found[video.stem].features, alone.features, rtol=1e-5)
        assert found[video.stem].timestamps_ms.tolist() == alone.timestamps_ms.tolist()
    full, left = divmod(1 + 4 + 9 + 6, batch_size)
    assert extractor.batch_sizes == [batch_size] * full + [left] * (left > 0)


def test_a_broken_clip_costs_itself_alone(videos, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(videos[2].read_bytes()[:900])
    found = extracted(ColourExtractor(), [videos[1], broken, videos[2]], 2)
    assert isinstance(found["broken"], DataError)
    for video in (videos[1], videos[2]):
        np.testing.assert_allclose(found[video.stem].features, ColourExtractor().extract(video).features, rtol=1e-5)


def test_random_weights_are_the_same_every_time_say_so_and_leave_other_randomness_alone(videos):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one = ColourExtractor()
    features = one.extract(videos[1]).features
    assert torch.equal(torch.rand(1), expected)
    np.testing.assert_array_equal(ColourExtractor().extract(videos[1]).features, features)
    assert one.description()["weights"] == RANDOM_WEIGHTS


def test_the_description_tells_weights_apart_by_content_not_by_name(doubling, tmp_path):
    copy = tmp_path / "copy.pth"
    copy.write_bytes((tmp_path / "doubling.pth").read_bytes())
    description = ColourExtractor(weights=doubling).description()
    assert ColourExtractor(weights=str(copy), batch_size=7).description() == description
    torch.save({"weight": torch.eye(3), "bias": torch.zeros(3)}, copy)
    assert ColourExtractor(weights=str(copy)).description()["weights"] != description["weights"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weight": torch.eye(3)}, "1 missing: bias"),
        ({"weight": torch.eye(3), "bias": torch.zeros(3), "scale": torch.ones(1)}, "1 unexpected: scale"),
        ({"weight": torch.eye(4), "bias": torch.zeros(3)}, r"of another shape: weight \(4, 4\) instead of \(3, 3\)"),
        ({"epoch": 3}, "no state dict"),
        ([torch.eye(3)], "no state dict"),
    ],
)
def test_weights_of_another_network_are_refused_by_name(videos, tmp_path, content, message):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=message):
        ColourExtractor(weights=str(tmp_path / "w.pth")).extract(videos[0])


def test_a_head_in_the_file_is_left_out(videos, doubling, tmp_path):
    torch.save(torch.load(doubling) | {"classifier.weight": torch.ones(5, 3)}, tmp_path / "w.pth")
    extractor = ColourExtractor(weights=str(tmp_path / "w.pth"))
    np.testing.assert_allclose(extractor.extract(videos[1]).features, 2 * colours(videos[1]), rtol=1e-6)


class Unpickled:
    def __reduce__(self):
        return (pytest.fail, ("the weights were executed",))


@pytest.mark.parametrize("content", [b"", b"no weights", None])
def test_files_that_are_no_weights_are_refused_and_never_executed(videos, tmp_path, content):
    path = tmp_path / "w.pth"
    torch.save({"weight": Unpickled()}, path) if content is None else path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"w\.pth: cannot be read as a checkpoint"):
        ColourExtractor(weights=str(path)).extract(videos[0])


@pytest.mark.parametrize(
    ("changes", "key", "error"),
    [
        ({"stride": 2}, "stride=2", ConfigError),
        ({"target_fps": 0}, "target_fps=0", ConfigError),
        ({"batch_size": 0}, "batch_size=0", ConfigError),
        ({"precision": "64"}, "precision=64", ConfigError),
        ({"weights": "gone.pth"}, "weights=gone.pth", CheckpointError),
    ],
)
def test_settings_out_of_range_are_refused_at_once(changes, key, error):
    with pytest.raises(error, match=key):
        ColourExtractor(**changes)


@pytest.mark.parametrize("device", ["gpu", "cuda:9"])
def test_a_device_that_is_not_there_is_named(videos, device):
    with pytest.raises(ConfigError, match=f"extractor.device={device} cannot be used"):
        ColourExtractor(device=device).extract(videos[0])


def test_half_precision_is_stored_as_it_is_and_refused_where_it_overflows(videos, doubling, tmp_path):
    half = ColourExtractor(weights=doubling, precision="fp16").extract(videos[1])
    assert half.features.dtype == np.float16
    np.testing.assert_allclose(half.features, 2 * colours(videos[1]), rtol=2e-3)
    brain = ColourExtractor(weights=doubling, precision="bf16").extract(videos[1])
    assert brain.features.dtype == np.float32
    np.testing.assert_allclose(brain.features, 2 * colours(videos[1]), rtol=2e-2)
    torch.save({"weight": 1e4 * torch.eye(3), "bias": torch.zeros(3)}, tmp_path / "huge.pth")
    with pytest.raises(DataError, match=r"not finite in precision fp16. Use extractor.precision=32"):
        ColourExtractor(weights=str(tmp_path / "huge.pth"), precision="fp16").extract(videos[1])


class Spying(ColourExtractor):
    """Notes the type that the network computes in."""

    def forward(self, network, frames, num_padding):
        features = super().forward(network, frames, num_padding)
        self.computed_in = features.dtype
        return features


@pytest.mark.parametrize(
    ("precision", "dtype"), [("32", torch.float32), (32, torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.half)]
)
def test_the_network_computes_in_the_precision_that_is_asked_for(videos, precision, dtype):
    extractor = Spying(precision=precision)
    extractor.extract(videos[1])
    assert extractor.computed_in is dtype


def test_overlapping_windows_of_several_clips_share_batches(videos):
    extractor = ColourExtractor(num_frames=3, stride=1, batch_size=2)
    sequences = extracted(extractor, videos, 1)
    assert [len(sequences[video.stem].features) for video in videos] == [1, 2, 7, 4]
    assert len(extractor.batch_sizes) == math.ceil((1 + 2 + 7 + 4) / 2)


@pytest.fixture(scope="module")
def hundreds(tmp_path_factory):
    """Clips of 250, 256 and 100 frames of one gray each, 25 frames/s."""
    folder = tmp_path_factory.mktemp("hundreds")
    for length in (250, 256, 100):
        write_video(folder / f"{length}.mp4", [np.full((16, 16, 3), k % 200, np.uint8) for k in range(length)], 25)
    return [folder / f"{length}.mp4" for length in (250, 256, 100)]


SIGN_HIERA = {"num_frames": 128, "sampling_rate": 2, "stride": 128, "window_rule": "ssvp_slt", "target_fps": 25}


def test_tokens_of_padding_are_dropped_as_ssvp_slt_does(hundreds):
    found = extracted(TokenExtractor(**SIGN_HIERA, batch_size=2), hundreds, 0)
    assert [len(found[name].features) for name in ("250", "256", "100")] == [63, 97, 26]
    meta = found["256"].meta
    said = {"num_frames": 128, "sampling_rate": 2, "stride": 128, "window_rule": "ssvp_slt", "fps": 25}
    counts = {"num_windows": 2, "num_padding": 63, "tokens_per_window": 64, "num_clip_frames": 256}
    assert {name: meta[name] for name in said | counts} == said | counts
    assert set(found["256"].features[:64, 3]) == {0} and set(found["256"].features[64:, 3]) == {63}


def test_every_token_has_the_time_of_its_first_frame(hundreds):
    clip = TokenExtractor(num_frames=8, sampling_rate=2, stride=8, target_fps=12.5).extract(hundreds[2])
    # 50 frames at 12.5 a second; 25 of them taken, in windows of 8 that start 4 apart, the last moved back.
    starts = [0, 4, 8, 12, 16, 17]
    assert clip.timestamps_ms.tolist() == [160 * (start + 2 * token) for start in starts for token in range(4)]
    assert clip.meta["num_clip_frames"] == 50 and clip.meta["num_padding"] == 0
    first_of_pair = [4 * (start + 2 * token) for start in starts for token in range(4)]
    np.testing.assert_allclose(clip.features[:, 0], np.array(first_of_pair) + 2, atol=1.5)


def test_a_network_that_gives_other_tokens_than_it_says_is_told_apart(videos):
    class Wrong(TokenExtractor):
        tokens_per_window = 3

    with pytest.raises(ValueError, match=r"gave \(1, 2, 4\), not \(1, tokens_per_window, D\)"):
        Wrong(num_frames=4).extract(videos[0])


CHANGES = (RandomResizedCrop(smallest=0.3, largest=0.6, narrowest=0.8, widest=1.2), HorizontalFlip(p=0.5),
           RandAugment(num_ops=2, magnitude=15), Grayscale(p=0.3))  # fmt: skip


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """Clips of 12 equal frames of noise."""
    folder, rng = tmp_path_factory.mktemp("noisy"), np.random.default_rng(0)
    for name in "abcdef":
        frame = rng.integers(0, 256, (4, 6, 3), np.uint8).repeat(12, 0).repeat(12, 1)
        write_video(folder / f"{name}.mp4", [frame] * 12, 25)
    return [folder / f"{name}.mp4" for name in "abcdef"]


def test_an_augmented_copy_is_one_draw_a_clip_in_whatever_company_and_process(noisy):
    settings = {"num_frames": 4, "stride": 2, "batch_size": 3}
    plain = ColourExtractor(**settings)
    copies = [
        extracted(plain.augmented(copy, CHANGES, 0), noisy, workers) for copy, workers in ((1, 0), (1, 1), (2, 0))
    ]
    for video in noisy:
        first, again, second = (copy[video.stem].features for copy in copies)
        np.testing.assert_allclose(first, first[:1].repeat(5, 0), atol=2)  # all windows, of a clip that does not move
        np.testing.assert_array_equal(first, again)
        alone = ColourExtractor(**settings | {"batch_size": 1}).augmented(1, CHANGES, 0).extract(video).features
        np.testing.assert_allclose(first, alone, rtol=1e-5)
        assert np.abs(first - second).max() > 2 and np.abs(first - plain.extract(video).features).max() > 2


def test_an_augmented_copy_says_what_was_changed_and_shares_the_network(noisy):
    plain = ColourExtractor()
    one, two = plain.augmented(1, CHANGES, 3), plain.augmented(2, CHANGES, 3)
    said = one.description()["augmentation"]
    assert (said["copy"], said["seed"], [change["name"] for change in said["changes"]]) == (
        1, 3, ["RandomResizedCrop", "HorizontalFlip", "RandAugment", "Grayscale"],
    )  # fmt: skip
    assert said["changes"][2] == {"name": "RandAugment", "p": 1.0, "num_ops": 2, "magnitude": 15}
    assert json.loads(json.dumps(one.description())) == one.description() != two.description()
    assert "augmentation" not in plain.description() and one.extract(noisy[0]).meta["extraction"] == one.description()
    two.extract(noisy[0])
    assert one._loaded is two._loaded is plain._loaded and len(plain._loaded) == 1


def test_what_torch_cannot_compile_is_told_with_the_remedy(videos, monkeypatch):
    import torch._dynamo.exc as compiler

    def unable(self, network, frames, num_padding):
        raise compiler.BackendCompilerFailed(print, RuntimeError("no C++ compiler"), None)

    monkeypatch.setattr(ColourExtractor, "forward", unable)
    with pytest.raises(
        SignRecogError, match=r"extractor.compile=true: .* cannot translate extractor_fakes here .*no C"
    ):
        ColourExtractor(compile=True).extract(videos[0])


@pytest.mark.slow
def test_a_compiled_network_gives_the_same_and_every_batch_has_one_size(videos, doubling):
    plain, compiled = (ColourExtractor(weights=doubling, compile=compile) for compile in (False, True))
    for video in videos[1:3]:
        features = compiled.extract(video).features
        np.testing.assert_allclose(features, plain.extract(video).features, rtol=1e-5)
    assert set(compiled.batch_sizes) == {4} and plain.batch_sizes == [4, 4, 4, 1]
    assert compiled.description() == plain.description()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_gpu_gives_what_the_cpu_gives(hundreds, num_workers):
    settings = {"num_frames": 8, "stride": 4, "batch_size": 5}
    expected = extracted(ColourExtractor(**settings), hundreds, 0)
    found = extracted(ColourExtractor(**settings, device="cuda"), hundreds, num_workers)
    for clip_id, sequence in expected.items():
        np.testing.assert_allclose(found[clip_id].features, sequence.features, rtol=1e-4)
        assert found[clip_id].timestamps_ms.tolist() == sequence.timestamps_ms.tolist()
