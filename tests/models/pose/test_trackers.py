"""Promises that every tracker keeps: shapes, points in the picture, a run over a video, learning."""

import pytest
import torch
from models.pose.trackers import KINDS, pictures, tracker

from sign_recog.errors import ConfigError

every = pytest.mark.parametrize("kind", KINDS)


@every
def test_there_is_a_point_and_a_confidence_for_every_landmark(kind):
    network = tracker(kind).eval()
    points, confidence = network.decode(network(pictures(network, 2)))
    assert points.shape == (2, 3, 2) and confidence.shape == (2, 3)
    assert points.dtype == torch.float32 and ((confidence >= 0) & (confidence <= 1)).all()


@pytest.mark.parametrize("kind", ["heatmap", "heatmap_s4", "context"])
def test_heatmaps_are_a_quarter_of_the_pictures(kind):
    network = tracker(kind).eval()
    assert network(pictures(network, 2))["heatmaps"].shape == (2, 3, 8, 16)


@every
def test_a_picture_is_seen_alike_whatever_is_beside_it_in_the_batch(kind):
    network = tracker(kind).eval()
    frames = pictures(network, 3)
    with torch.no_grad():
        together, alone = network.decode(network(frames))[0], network.decode(network(frames[1:2]))[0]
    torch.testing.assert_close(together[1:2], alone, atol=1e-3, rtol=0)


@every
def test_a_run_over_a_video_gives_what_each_frame_with_its_neighbours_gives(kind):
    network = tracker(kind).eval()
    c = network.context
    video = pictures(tracker("heatmap"), 4 + 2 * c)
    one_by_one = torch.stack([video[i : i + 2 * c + 1] for i in range(4)]) if c else video
    with torch.no_grad():
        whole, each = network.run(video), network(one_by_one)
    for name in whole:
        assert len(whole[name]) == 4
        torch.testing.assert_close(whole[name], each[name], atol=1e-4, rtol=1e-4)


def test_the_context_tracker_looks_at_every_neighbour():
    network = tracker("context").eval()
    frames = pictures(network, 1)
    with torch.no_grad():
        before = network(frames)["heatmaps"]
        for neighbour in range(5):
            other = frames.clone()
            other[:, neighbour] = 0
            assert (network(other)["heatmaps"] - before).abs().max() > 1e-4


@every
def test_the_gradient_reaches_every_weight_also_through_the_points(kind):
    network = tracker(kind)
    points, _ = network.decode(network(pictures(network, 2)))
    points.square().sum().backward()
    # A shift of all of a map's logits moves no point, so the last bias has none but for rounding.
    without = [n for n, p in network.named_parameters() if p.grad is None]
    assert without == []
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


@every
def test_a_batch_can_be_fitted(kind):
    network = tracker(kind)
    frames = pictures(network, 3)
    wanted = torch.tensor([[[10.0, 8], [40, 20], [55, 5]], [[30, 30], [3, 3], [20, 12]], [[50, 25], [25, 25], [9, 17]]])
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        outputs = network(frames)
        if "heatmaps" in outputs:
            place = (wanted / 4).long()
            flat = torch.log_softmax(outputs["heatmaps"].flatten(2), 2)
            loss = -flat.gather(2, (place[..., 1] * 16 + place[..., 0])[..., None]).mean()
        else:
            loss = (outputs["points"] - wanted).abs().mean()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        found = network.decode(network(frames))[0]
    assert (found - wanted).norm(dim=2).mean() < 6


@every
def test_weights_that_belong_to_landmarks_have_a_place_for_each(kind):
    network, other = tracker(kind), tracker(kind, num_landmarks=5)
    shapes = {n: p.shape for n, p in other.named_parameters()}
    differ = {n for n, p in network.named_parameters() if p.shape != shapes[n]}
    assert differ == set(network.landmark_weights)


@pytest.mark.parametrize("changes", [{"skip_channels": 0}, {"temperature": 0.0}])
def test_settings_that_are_none_are_refused(changes):
    with pytest.raises(ConfigError, match=f"model.{next(iter(changes))}="):
        tracker(**changes)


@pytest.mark.parametrize("kind", ["heatmap", "context"])
def test_the_graph_can_be_exported_for_batches_of_all_sizes(kind):
    network = tracker(kind).eval()

    class Decoded(torch.nn.Module):
        def forward(self, frames):
            return network.decode(network(frames))

    example = (pictures(network, 2),)
    graph = torch.export.export(Decoded(), example, dynamic_shapes=({0: torch.export.Dim.AUTO},)).module()
    frames = pictures(network, 3, seed=1)
    torch.testing.assert_close(graph(frames), Decoded()(frames), atol=1e-3, rtol=1e-3)


def test_s4_neighbours_cost_a_batch_of_a_video_four_frames_and_not_five_times_its_frames():
    """S4's context networks ran out of memory on videos."""
    network, seen = tracker("context").eval(), []
    network.backbone.register_forward_hook(lambda module, given, found: seen.append(len(given[0])))
    with torch.no_grad():
        network.run(pictures(tracker("heatmap"), 12 + 4))
    assert seen == [12 + 4]
