import hashlib

import pytest
import torch
from torch import nn

from sign_recog.errors import CheckpointError
from sign_recog.models.pretrained import Published, load_weights, start_from, stretch


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
    for content in ({"epoch": 3, "weights": make().state_dict()}, [torch.ones(1)]):
        with pytest.raises(CheckpointError, match="no state dict"):
            load_weights(make(), save(tmp_path, content), without=("fc.",))


def test_a_pickled_network_is_refused_and_not_executed(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        load_weights(make(), save(tmp_path, make()), without=("fc.",))


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state", "model"])
def test_published_files_are_unwrapped(tmp_path, wrapper):
    given, network = make().state_dict(), make()
    parallel = {f"module.{key}": value for key, value in given.items()}
    load_weights(network, save(tmp_path, {"epoch": 3, wrapper: parallel}), without=("fc.",))
    assert all(torch.equal(given[key], value) for key, value in network.state_dict().items())


def test_safetensors_are_read(tmp_path):
    from safetensors.torch import save_file

    given, network = make().state_dict(), make()
    save_file(given, tmp_path / "w.safetensors")
    load_weights(network, str(tmp_path / "w.safetensors"), without=("fc.",))
    assert torch.equal(network[0].weight, given["0.weight"])
    (tmp_path / "broken.safetensors").write_bytes(b"none")
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        load_weights(network, str(tmp_path / "broken.safetensors"), without=("fc.",))


def test_random_weights_have_no_source():
    assert start_from(make(), None, without=()) is None


def test_a_download_is_kept_and_its_hash_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    given, network = make().state_dict(), make()
    content = save(tmp_path, dict(given))
    digest = hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()[:8]
    named = tmp_path / f"net-{digest}.pth"
    named.write_bytes((tmp_path / "weights.pth").read_bytes())
    assert start_from(network, "download", without=(), published=Published(named.as_uri())) == named.as_uri()
    assert torch.equal(network[0].weight, given["0.weight"])
    named.unlink()
    start_from(make(), "download", without=(), published=Published(named.as_uri()))  # from the folder of torch.hub
    wrong = tmp_path / "net-00000000.pth"
    wrong.write_bytes((tmp_path / "weights.pth").read_bytes())
    with pytest.raises(CheckpointError, match="invalid hash value"):
        start_from(make(), "download", without=(), published=Published(wrong.as_uri()))
    assert content


def test_without_a_network_or_anything_published_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    address = "http://127.0.0.1:9/net-0123abcd.pth"  # port 9 discards; nothing listens
    with pytest.raises(CheckpointError, match=f"{address} cannot be had .*give weights=FILE, or null"):
        start_from(make(), "download", without=(), published=Published(address))
    with pytest.raises(CheckpointError, match="nobody publishes weights of Sequential"):
        start_from(make(), "download", without=(), published=None)


def test_position_tables_are_stretched_linearly_and_others_are_not():
    table = torch.arange(4.0)[None, :, None]
    assert stretch(table, torch.Size((1, 8, 1)), 1).flatten().tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]
    assert torch.equal(stretch(table, torch.Size((1, 4, 1)), 1), table)
    assert stretch(table, torch.Size((1, 8, 2)), 1) is None  # another width
    assert stretch(torch.ones(6, 3), torch.Size((16, 3)), 2) is None  # no square
    square = torch.arange(4.0).reshape(2, 2)[:, :, None].expand(2, 2, 3).reshape(4, 3)
    grid = stretch(square, torch.Size((16, 3)), 2).reshape(4, 4, 3)
    assert grid[0, 0].tolist() == [0] * 3 and grid[3, 3].tolist() == [3] * 3
    torch.testing.assert_close(grid.mean((0, 1)), square.mean(0))
