"""Every network over frames and time, through the pieces that a run is made of."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from models.networks import collate
from models.test_video import make_clip
from models.video_networks import FRAMES, NAMES, SIZES, video_config, video_network
from untrained import write_untrained

from sign_recog import stages
from sign_recog.errors import CheckpointError
from sign_recog.stages.build import build
from sign_recog.stages.recognizer import load_recognizer
from sign_recog.storage.checkpoint import read_checkpoint
from sign_recog.training.transfer import EXTENDED, load_weights

GLOSSES = [f"gloss{i}" for i in range(7)]


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_learned_saved_and_read_again(name, tmp_path):
    """One step with the optimiser of the settings, a checkpoint, and the recogniser that every other stage uses."""
    config = video_config(name, "model.weights=gone.pth")  # whatever training began with is not asked for again
    torch.manual_seed(0)
    node = {**config.model, "weights": None}
    network = build(node, input_dim=3, num_glosses=7, num_categories=2, num_languages=0).train()
    assert network.pretrained is None
    before = {key: value.clone() for key, value in network.state_dict().items()}
    optimizer = build(config.optim)(network)
    logits = network(*collate([make_clip(FRAMES, 1), make_clip(5, 2)]))
    assert logits["gloss_logits"].shape == (2, 7) and logits["category_logits"].shape == (2, 2)
    sum(torch.nn.functional.cross_entropy(x, torch.tensor([0, 1])) for x in logits.values()).backward()
    gradients = {key: parameter.grad for key, parameter in network.named_parameters()}
    assert [key for key, g in gradients.items() if g is None or not torch.isfinite(g).all()] == []
    optimizer.step()
    after = network.state_dict()
    unmoved = [key for key in gradients if torch.equal(before[key], after[key])]
    assert not [key for key in unmoved if gradients[key].abs().max() > 1e-6]

    path = write_untrained(
        tmp_path / "a.ckpt", config, network=network, input_dim=3, glosses=GLOSSES, categories=["k", "l"]
    )
    recognizer = load_recognizer(read_checkpoint(path), config.trainer)
    path.unlink()  # some are hundreds of MB
    clips = [make_clip(FRAMES, 3), make_clip(3, 4)]
    answers = recognizer.recognize([clip.numpy() for clip in clips], language=None, embeddings=["cls"])
    with torch.inference_mode():
        for clip, answer in zip(clips, answers, strict=True):
            alone = network.eval()(*collate([clip]))
            for label in ("gloss", "category"):
                expected = alone[f"{label}_logits"][0].softmax(0)
                torch.testing.assert_close(torch.from_numpy(answer[label]), expected, atol=1e-5, rtol=1e-4)
    assert answers[0]["cls"].shape == (network.heads.gloss[-1].in_features,)


def test_s2_the_head_grows_and_keeps_its_rows(tmp_path):
    """100 to 300 to 1000 to 2000 glosses: the rows of known glosses are those of before, in whatever order."""
    config = video_config("r2plus1d_small", "model.backbone.width=4")
    rng = np.random.default_rng(0)
    known, network = [], None
    for number in (100, 300, 1000, 2000):
        glosses = [f"g{i}" for i in rng.permutation(number)]
        grown = build(config.model, input_dim=3, num_glosses=number, num_categories=0, num_languages=0)
        if network is not None:
            path = write_untrained(tmp_path / "a.ckpt", config, network=network, input_dim=3, glosses=known)
            found = load_weights(
                grown, read_checkpoint(path), glosses=glosses, categories=[], languages=[], extend_head=True
            )
            outcomes = {outcome.name: outcome.outcome for outcome in found}
            assert {name for name, o in outcomes.items() if o == EXTENDED} == {
                "heads.gloss.1.weight",
                "heads.gloss.1.bias",
            }
            old, new = network.heads.gloss[-1], grown.heads.gloss[-1]
            for gloss in known:
                assert torch.equal(new.weight[glosses.index(gloss)], old.weight[known.index(gloss)])
            for key, value in network.backbone.state_dict().items():
                assert torch.equal(grown.backbone.state_dict()[key], value)
        known, network = glosses, grown


def test_vectors_of_single_frames_are_refused_before_the_work(tmp_path):
    config = video_config("r2plus1d_small")
    recognizer = load_recognizer(
        read_checkpoint(write_untrained(tmp_path / "a.ckpt", config, input_dim=3, glosses=GLOSSES)), config.trainer
    )
    recognizer.check_embeddings(["cls"])
    for kind in ("spatial", "temporal"):
        with pytest.raises(CheckpointError, match=rf"reads a clip as a whole .*\({kind}\). Use cls, probabilities"):
            recognizer.check_embeddings(["cls", kind])


@pytest.mark.slow  # PyTorch's tracer
def test_one_graph_of_onnx_serves_batches_of_all_sizes_and_shorter_clips(tmp_path):
    pytest.importorskip("onnxscript", reason="the extra export is not installed")
    from sign_recog.stages.onnx_model import largest_difference, write_onnx

    network = video_network("r2plus1d_small", "model.backbone.width=4", num_languages=3).eval()
    example = {
        "sequence": make_clip(FRAMES)[None], "padding_mask": torch.zeros(1, FRAMES, dtype=torch.bool),
        "language": torch.zeros(1, dtype=torch.long),
    }  # fmt: skip
    write_onnx(tmp_path / "a.onnx", network, example)
    assert largest_difference(tmp_path / "a.onnx", network, example) <= 1e-4


@pytest.fixture
def configure(tmp_path):
    """A function to the configuration of a corpus of 2 glosses, dark and bright, and the smallest network."""
    pytest.importorskip("cv2", reason="OpenCV cannot be loaded; see the README on libGL", exc_type=ImportError)
    from conftest import load_config

    from sign_recog.video.writer import write_video

    (tmp_path / "clips").mkdir()
    lines = ["video,gloss,split"]
    for i in range(12):
        gray = [40, 200][i % 2]
        write_video(tmp_path / f"clips/{i}.mp4", (np.full((48, 64, 3), gray + t, np.uint8) for t in range(12)), 25)
        lines.append(f"{i}.mp4,{['dark', 'bright'][i % 2]},{['train', 'train', 'val', 'test'][i // 2 % 4]}")
    (tmp_path / "clips/labels.csv").write_text("\n".join(lines) + "\n")
    common = (
        "data=manifest", "data.name=clips", f"data.source={tmp_path / 'clips/labels.csv'}", *SIZES,
        "model=r2plus1d_small", "model.backbone.width=4", f"paths.data_root={tmp_path / 'data'}",
        f"paths.output_root={tmp_path / 'outputs'}", "trainer.max_epochs=1", "trainer.batch_size=4",
        "trainer.num_threads=1", "trainer.bucketing=false",
    )  # fmt: skip
    return lambda *overrides: load_config(*common, *overrides)


def test_a_run_says_which_weights_its_backbone_has(configure, tmp_path, caplog):
    weights = tmp_path / "w.pth"
    torch.save(build_backbone(configure).state_dict(), weights)
    with caplog.at_level(logging.INFO):
        stages.run(configure("run=pipeline", "run.steps=[prepare,classify,evaluate]"))
        stages.run(configure("run=classify", f"model.weights={weights}"))
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith("backbone: ")]
    assert said == ["backbone: random weights", f"backbone: weights from {weights}"]


def test_a_frozen_backbone_stays_as_its_weights(configure, tmp_path):
    weights, given = tmp_path / "w.pth", build_backbone(configure).state_dict()
    torch.save(given, weights)
    stages.run(configure("run=prepare"))
    config = configure("run=classify", f"model.weights={weights}", "transfer.freeze_parts=[backbone]")
    stages.run(config)
    trained = read_checkpoint(Path(config.paths.run_dir) / "checkpoints" / "last.ckpt")
    assert trained.step >= 1
    for key, value in given.items():
        assert torch.equal(trained.weights[f"backbone.{key}"], value), key


def test_weights_of_another_network_end_the_command(configure, tmp_path):
    weights = tmp_path / "w.pth"
    torch.save(video_network("r2plus1d_small", "model.backbone.width=8").backbone.state_dict(), weights)
    stages.run(configure("run=prepare"))
    with pytest.raises(CheckpointError, match=r"do not fit SmallR2Plus1d \(of another shape: 0\.0\.weight \(8, 3,"):
        stages.run(configure("run=classify", f"model.weights={weights}"))


def build_backbone(configure):
    torch.manual_seed(5)
    node = configure("run=prepare").model
    return build(node, input_dim=3, num_glosses=2, num_categories=0, num_languages=0).backbone
