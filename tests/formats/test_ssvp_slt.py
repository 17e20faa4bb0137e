"""SSVP-SLT's tensors and manifests, one file at a time."""

import os
import pickle
import sys

import numpy as np
import pytest
import torch

from sign_recog.errors import DataError
from sign_recog.formats import ssvp_slt
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.manifest import Clip
from sign_recog.storage.memo import Memo

TIMES = {"token_ms": 160, "window_tokens": 64, "window_ms": 5120}


def read(path) -> FeatureSequence:
    return ssvp_slt.read(path, clip_id="c", **TIMES)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_tensors_of_any_float_are_read(tmp_path, dtype):
    tensor = torch.randn(5, 3).to(dtype)
    torch.save(tensor, tmp_path / "a.pt")
    features = read(tmp_path / "a.pt").features
    assert features.dtype == (np.float16 if dtype is torch.float16 else np.float32)
    assert np.array_equal(features, tensor.float().numpy())


def test_files_of_torch_before_its_zip_format_are_read(tmp_path):
    torch.save(torch.ones(2, 3), tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    assert read(tmp_path / "a.pt").features.shape == ssvp_slt.read_shape(tmp_path / "a.pt") == (2, 3)


def test_s3_a_vector_is_one_token_everywhere(tmp_path):
    """S3 stores a video of one token as (D,), and counts D tokens in one place and one in another."""
    torch.save(torch.arange(6.0), tmp_path / "a.pt")
    assert np.array_equal(read(tmp_path / "a.pt").features, np.arange(6, dtype=np.float32)[None])
    assert ssvp_slt.length(tmp_path / "a.pt", Memo(tmp_path / "known.json")) == 1


def test_tokens_stand_at_their_frames_times(tmp_path):
    """128 frames of every second at 25 frames/s: a window of 10.24 s in 64 tokens, and one every 5.12 s."""
    torch.save(torch.zeros(97, 2), tmp_path / "a.pt")
    times = read(tmp_path / "a.pt").timestamps_ms
    expected = [window * 5120 + token * 160 for window in range(2) for token in range(64)][:97]
    assert times.tolist() == expected


BAD = {
    "whole numbers": torch.ones(2, 3, dtype=torch.int64),
    "three axes": torch.ones(2, 3, 4),
    "no token": torch.ones(0, 3),
    "a number": torch.tensor(1.0),
    "not finite": torch.tensor([[1.0, float("nan")]]),
    "a dictionary": {"features": torch.ones(2, 3)},
}


@pytest.mark.parametrize("name", BAD)
def test_what_holds_no_tokens_is_refused(tmp_path, name):
    torch.save(BAD[name], tmp_path / "a.pt")
    with pytest.raises(DataError, match=r"a\.pt: holds"):
        read(tmp_path / "a.pt")


def test_pickled_objects_are_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    torch.save(Trap(), tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Trap()))
    for name in ("a.pt", "b.pt"):
        with pytest.raises(DataError, match="cannot be read as a torch tensor without other objects"):
            read(tmp_path / name)
    assert not (tmp_path / "trapped").exists()


def test_whatever_bytes_are_damaged_the_error_is_one_a_user_can_act_on(tmp_path):
    rng, refused = np.random.default_rng(5), 0
    torch.save(torch.randn(4, 6), tmp_path / "good.pt")
    content = (tmp_path / "good.pt").read_bytes()
    for i in range(150):
        damaged = bytearray(content[: rng.integers(len(content))] if i % 3 == 0 else content)
        for place in rng.integers(len(damaged) or 1, size=min(6, len(damaged))):
            damaged[place] = rng.integers(256)
        (tmp_path / "bad.pt").write_bytes(damaged)
        for function in (read, ssvp_slt.read_shape):
            try:
                function(tmp_path / "bad.pt")
            except DataError as error:
                assert str(tmp_path / "bad.pt") in str(error)
                refused += 1
    assert refused > 50


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_cut_short_has_no_shape(tmp_path, share):
    ssvp_slt.write_tensor(tmp_path / "a.pt", np.ones((50, 8), np.float32), "float32")
    content = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match="cannot be read"):
        ssvp_slt.read_shape(tmp_path / "a.pt")


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("float16", 2)])
def test_tensors_are_written_in_the_asked_precision(tmp_path, dtype, size):
    values = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    ssvp_slt.write_tensor(tmp_path / "a.pt", values, dtype)
    tensor = torch.load(tmp_path / "a.pt", weights_only=True)
    assert tensor.element_size() == size and np.array_equal(tensor.numpy(), values.astype(dtype))


def test_values_too_large_for_half_precision_are_refused(tmp_path):
    with pytest.raises(DataError, match="reach 70000, too large for float16"):
        ssvp_slt.write_tensor(tmp_path / "a.pt", np.array([[70000.0]], np.float32), "float16")
    assert not (tmp_path / "a.pt").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="limits of file sizes")
def test_where_a_tensor_has_no_room_the_system_s_reason_is_told_and_nothing_is_left(tmp_path):
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            ssvp_slt.write_tensor(tmp_path / "a.pt", np.zeros((100, 768), np.float32), "float32")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_clip_is_called_as_in_its_own_table_or_by_its_clip_id():
    assert ssvp_slt.file_name(Clip("x-7E2", extra={"video_name": "-7E2.mp4"})) == "features/0/-7E2./-7E2.pt"
    assert ssvp_slt.file_name(Clip("day 1/a b")) == "features/0/day 1/day 1_a b.pt"
    assert ssvp_slt.file_name(Clip("version 1.2")) == "features/0/versi/version 1.2.pt"


def test_the_manifest_is_one_plain_line_a_clip(tmp_path):
    clips = [
        Clip("a", split="train", text='He said "go\there\nnow'),
        Clip("b", split="train", gloss="HELLO"),
        Clip("c", split="train"),
        Clip("d", split="train", text="not finished"),
    ]
    assert ssvp_slt.write_manifests(tmp_path, clips, {"a": 3, "b": 4, "c": 5}) == 1
    assert (tmp_path / "manifests/train_features.tsv").read_text() == 'a\t3\tHe said "go here now\nb\t4\tHELLO\n'
    assert not (tmp_path / "manifests/val_features.tsv").exists()
