"""SSVP-SLT's SignHiera: its tokens, its padding, and its checkpoints, which are made here in both layouts."""

import argparse
import logging

import pytest
import torch
from extractors.small_networks import FRAMES, configured, features_of, network_of, pictures, small
from omegaconf import OmegaConf

from sign_recog.errors import CheckpointError, ConfigError
from sign_recog.extractors.sign_hiera import SignHieraExtractor
from sign_recog.models.hiera import hiera
from sign_recog.video.writer import write_video

STEPS = FRAMES // 2


def encoder(num_frames=FRAMES):
    """Weights of an encoder as the small extractor's, which lead to features far from each other."""
    torch.manual_seed(2)
    sizes = {"embed_dim": 16, "num_heads": 1, "stages": [1, 1, 2, 1], "drop_path": 0.0, "published": None}
    network = hiera(**sizes, num_frames=num_frames, image_size=32).network
    return {k: v + 0.1 * torch.randn_like(v) for k, v in network.state_dict().items() if not k.startswith("norm.")}


def plain(**changed):
    """A checkpoint of pre-training: the autoencoder and what its training needs, its settings in a Namespace."""
    others = {"decoder_embed.weight": torch.ones(3, 2), "mask_token": torch.ones(1), "encoder_norm.bias": torch.ones(2)}
    training = {"optimizer": {"state": {}, "param_groups": [{"lr": 1e-4}]}, "epoch": 3, "scaler": {"scale": 1.0}}
    settings = argparse.Namespace(model="mae_hiera_base_128x224", lr=8e-4, betas=[0.9, 0.95])
    return {"model": encoder() | others, **training, "args": settings} | changed


def clip(**changed):
    """A checkpoint of the CLIP model: the video network is a tower of it, its settings OmegaConf's."""
    tower = {f"visual.transformer.{name}": value for name, value in encoder().items()}
    others = {"visual.proj": torch.ones(2, 2), "textual.embed.weight": torch.ones(3, 2), "logit_scale": torch.ones(())}
    return {"clip": tower | others, "cfg": OmegaConf.create({"a": {"b": [1, 2.5, "x", None]}}), "epoch": 1} | changed


def save(tmp_path, content, name="checkpoint-00003.pth"):
    torch.save(content, tmp_path / name)
    return tmp_path / name


def test_the_configured_network_is_hiera_base_of_128_pictures_of_224():
    extractor = configured("sign_hiera")
    assert isinstance(extractor, SignHieraExtractor) and extractor.tokens_per_window == 64
    network = extractor.build_backbone().network
    assert network.tokens_spatial_shape == [64, 56, 56] and network.mask_spatial_shape == [64, 7, 7]
    assert network.patch_embed.proj.stride == (2, 4, 4) and network.q_stride == (1, 2, 2)
    assert network.pos_embed_temporal.shape == (1, 64, 96) and network.pos_embed_spatial.shape == (1, 3136, 96)
    described = extractor.description()["options"]
    reads = {"num_frames": 128, "sampling_rate": 2, "stride": 128, "window_rule": "ssvp_slt", "target_fps": 25}
    assert {key: described[key] for key in (*reads, "framing", "image_size")} == reads | {
        "framing": "centre", "image_size": 224,
    }  # fmt: skip


def test_tokens_are_the_last_stages_before_the_norm(tmp_path):
    """With the library's own: what it returns of the last stage, averaged over space."""
    extractor, frames = small("sign_hiera", f"weights={save(tmp_path, plain())}"), pictures(2)
    sizes = {"embed_dim": 16, "num_heads": 1, "stages": [1, 1, 2, 1], "drop_path": 0.0, "published": None}
    network = hiera(**sizes, num_frames=FRAMES, image_size=32).network.eval()
    network.load_state_dict(encoder(), strict=False)
    clips = (torch.from_numpy(frames).permute(0, 4, 1, 2, 3) / 255 - 0.45) / 0.225
    with torch.no_grad():
        _, stages = network(clips, return_intermediates=True)
    expected = stages[-1].mean(dim=(2, 3))
    found = features_of(extractor, frames)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert (found[0, 0] - found[0, -1]).abs().max() > 0.01 and (found[0] - found[1]).abs().max() > 0.01


def test_windows_of_a_batch_may_end_in_different_padding(tmp_path):
    extractor, frames = small("sign_hiera", f"weights={save(tmp_path, plain())}"), pictures(5)
    padding = [0, 6, 7, 15, 6]
    kept = [STEPS - count // 2 for count in padding]
    together = features_of(extractor, frames, padding)
    for i, (count, steps) in enumerate(zip(padding, kept, strict=True)):
        alone = features_of(extractor, frames[i : i + 1], [count])
        torch.testing.assert_close(together[i], alone[0], atol=1e-5, rtol=1e-5)
        assert together[i, steps:].abs().max() == 0 if steps < STEPS else True
        frames[i, 2 * steps :] = 0  # nothing shows through
    torch.testing.assert_close(features_of(extractor, frames, padding), together)
    whole = features_of(extractor, frames)
    assert (whole[1, : kept[1]] - together[1, : kept[1]]).abs().max() > 1e-3  # padding that is seen changes the rest


def test_a_videos_tokens_of_padding_are_dropped(tmp_path):
    """S3's rule: 20 frames are windows at 0 and 8, the second of 12 frames and 4 of padding, of which 2 tokens go."""
    write_video(tmp_path / "clip.mp4", pictures(1, 20)[0], 25)
    found = small("sign_hiera", "window_rule=ssvp_slt").extract(tmp_path / "clip.mp4")
    assert found.features.shape == (STEPS + STEPS - 2, 128)
    assert found.meta["num_padding"] == 4 and found.meta["num_windows"] == 2


@pytest.mark.parametrize("key", ["model", "model_state", None])
def test_s3_checkpoints_of_pretraining_load_and_what_is_left_out_is_said(tmp_path, caplog, key):
    content = plain() if key == "model" else {key: plain()["model"]} if key else encoder()
    extractor = small("sign_hiera", f"weights={save(tmp_path, content)}")
    with caplog.at_level(logging.INFO):
        own = network_of(extractor).backbone.state_dict()
    assert own.keys() == encoder().keys()
    assert all(torch.equal(own[name], value) for name, value in encoder().items())
    said = "3 weights that features do not need: decoder_embed (1), encoder_norm (1), mask_token (1)"
    assert (said in caplog.text) == (key is not None)


@pytest.mark.parametrize("as_dict", [True, False])
def test_s3_checkpoints_of_clip_load(tmp_path, caplog, as_dict):
    content = clip(cfg={"a": 1}) if as_dict else clip()
    extractor = small("sign_hiera", f"weights={save(tmp_path, content)}", "from_clip=true")
    with caplog.at_level(logging.INFO):
        own = network_of(extractor).backbone.state_dict()
    assert own.keys() == encoder().keys() and all(torch.equal(own[name], value) for name, value in encoder().items())
    assert "3 weights that features do not need: logit_scale (1), textual (1), visual (1)" in caplog.text


def test_s3_the_same_encoder_gives_the_same_features_from_both_kinds(tmp_path):
    frames, one = pictures(1), save(tmp_path, plain(), "plain.pth")
    other = save(tmp_path, clip(), "clip.pth")
    features = features_of(small("sign_hiera", f"weights={one}"), frames)
    assert torch.equal(features, features_of(small("sign_hiera", f"weights={other}", "from_clip=true"), frames))


@pytest.mark.parametrize(("content", "given", "needed"), [(plain, "true", "false"), (clip, "false", "true")])
def test_s3_a_checkpoint_of_the_other_kind_is_refused_with_the_setting(tmp_path, content, given, needed):
    extractor = small("sign_hiera", f"weights={save(tmp_path, content())}", f"from_clip={given}")
    with pytest.raises(CheckpointError, match=rf"checkpoint-00003\.pth: .*Set extractor\.from_clip={needed}\."):
        features_of(extractor, pictures(1))


def test_s3_missing_weights_are_named_instead_of_a_key_error(tmp_path):
    weights = plain()["model"]
    del weights["blocks.2.attn.qkv.weight"], weights["pos_embed_spatial"]
    weights["blocks.0.norm1.weight"] = torch.ones(5)
    extractor = small("sign_hiera", f"weights={save(tmp_path, {'model': weights})}")
    said = (
        r"missing: pos_embed_spatial, blocks\.2\.attn\.qkv\.weight; of another shape: blocks\.0\.norm1\.weight \(5,\)"
    )
    with pytest.raises(CheckpointError, match=said):
        features_of(extractor, pictures(1))


def test_s3_other_contents_are_refused_with_what_they_hold(tmp_path):
    for content, said in [
        ({"epoch": 3, "weights": {}}, "has no state dict under model, model_state; it holds epoch, weights"),
        ([torch.ones(1)], "holds a list, and no checkpoint"),
    ]:
        with pytest.raises(CheckpointError, match=said):
            features_of(small("sign_hiera", f"weights={save(tmp_path, content)}"), pictures(1))
    with pytest.raises(CheckpointError, match="has no state dict under clip"):
        content = {"clip": {"a": 1}}
        features_of(small("sign_hiera", f"weights={save(tmp_path, content)}", "from_clip=true"), pictures(1))
    (tmp_path / "cut.pth").write_bytes(save(tmp_path, plain()).read_bytes()[:5000])
    with pytest.raises(CheckpointError, match=r"cut\.pth: cannot be read as a checkpoint"):
        features_of(small("sign_hiera", f"weights={tmp_path / 'cut.pth'}"), pictures(1))


def test_s3_nothing_in_a_checkpoint_is_executed(tmp_path):
    class Runs:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    for name, content in {"plain": plain(args=Runs()), "clip": clip(cfg=Runs())}.items():
        extractor = small(
            "sign_hiera", f"weights={save(tmp_path, content)}", f"from_clip={str(name == 'clip').lower()}"
        )
        with pytest.raises(CheckpointError, match="objects that could run code"):
            features_of(extractor, pictures(1))
    assert not (tmp_path / "ran").exists()
    # what is allowed beside tensors is allowed for these files alone
    with pytest.raises(Exception, match="Unsupported global"):
        torch.load(save(tmp_path, plain()), weights_only=True)


def test_positions_of_other_windows_are_stretched_and_that_is_said(tmp_path, caplog):
    weights = encoder(num_frames=2 * FRAMES)
    extractor = small("sign_hiera", f"weights={save(tmp_path, {'model': weights})}")
    own = network_of(extractor).backbone.state_dict()
    assert own["pos_embed_temporal"].shape == (1, STEPS, 16)
    torch.testing.assert_close(own["pos_embed_temporal"].mean(1), weights["pos_embed_temporal"].mean(1))
    assert "1 position tables were stretched to these windows" in caplog.text


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(ConfigError, match=r"extractor\.from_clip=true says how to read extractor\.weights"):
        small("sign_hiera", "from_clip=true")
    with pytest.raises(CheckpointError, match=r"weights=download: no address .* give extractor\.weights=FILE"):
        small("sign_hiera", "weights=download")
