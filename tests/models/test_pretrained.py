import pytest
import torch
from torch import nn

from sign_recog.errors import CheckpointError
from sign_recog.models.pretrained import load_weights


def make() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))


def save(tmp_path, content):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    return str(path)


def test_weights_are_loaded_but_for_the_classifier(tmp_path):
    given, network = make().state_dict(), make()
    load_weights(network, save(tmp_path, {**given, "fc.weight": torch.ones(2, 3)}), without=("fc.",))
    assert all(torch.equal(given[key], value) for key, value in network.state_dict().items())


def test_files_from_before_batch_norm_counted_its_batches_fit(tmp_path):
    given = make().state_dict()
    del given["1.num_batches_tracked"]
    load_weights(make(), save(tmp_path, dict(given)), without=("fc.",))


def test_what_does_not_fit_is_listed_and_nothing_is_loaded(tmp_path):
    given, network = make().state_dict(), make()
    del given["0.bias"]
    given |= {"0.weight": torch.ones(5, 4), "strange": torch.ones(1)}
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_weights(network, save(tmp_path, given), without=("fc.",))
    for part in ("missing: 0.bias", "unknown: strange", "of another shape: 0.weight (5, 4), not (3, 4)", "null"):
        assert part in str(caught.value)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_a_long_list_is_cut(tmp_path):
    with pytest.raises(CheckpointError, match="and 2 more"):
        load_weights(make(), save(tmp_path, {f"k{i}": torch.ones(1) for i in range(7)}), without=("fc.",))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        load_weights(make(), str(tmp_path / "none.pth"), without=("fc.",))
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"not a zip")
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        load_weights(make(), str(broken), without=("fc.",))
    for content in ({"epoch": 3, "state_dict": make().state_dict()}, [torch.ones(1)]):
        with pytest.raises(CheckpointError, match="no state dict"):
            load_weights(make(), save(tmp_path, content), without=("fc.",))


def test_a_pickled_network_is_refused_and_not_executed(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        load_weights(make(), save(tmp_path, make()), without=("fc.",))
