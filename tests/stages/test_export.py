"""run=export: files that give PyTorch's logits without this package, and a card that tells no more than is known."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import load_config, write_tiny_corpus
from untrained import write_untrained

from sign_recog import stages
from sign_recog.errors import ConfigError, DataError, SignRecogError
from sign_recog.landmarks.layout import get_layout
from sign_recog.stages.onnx_model import largest_difference, write_onnx
from sign_recog.storage import atomic

pytest.importorskip("onnxruntime", reason="the extra export is not installed", exc_type=ImportError)
pytest.importorskip("onnxscript", reason="the extra export is not installed", exc_type=ImportError)

KNOWN = {"input_dim": 137, "glosses": ["across", "round", "up"], "categories": ["kind0", "kind1"]}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run folder with an exported checkpoint of random weights, and the run's configuration."""
    folder = tmp_path_factory.mktemp("export")
    paths = (f"paths.data_root={folder / 'data'}", f"paths.output_root={folder / 'outputs'}")
    data = ("data=manifest", "data.name=tiny", "data.source=unused", "augment=none")
    config = load_config(*data, *paths, "run=export", "model=gru")
    write_tiny_corpus(config)
    run_folder = Path(config.paths.run_dir)
    write_untrained(run_folder / "checkpoints/best.ckpt", config, **KNOWN)
    atomic.write_json(run_folder / "status.json", {"stage": "classify"})
    stages.run(config)
    return config, run_folder / "export"


def test_the_files_are_enough_without_this_package(exported, tmp_path):
    """The card's own example, in a process that cannot import sign_recog."""
    _, folder = exported
    card = (folder / "MODEL_CARD.md").read_text()
    example = card.split("```python")[1].split("```")[0]
    hidden = "import sys; sys.modules['sign_recog'] = sys.modules['torch'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", hidden + example], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in KNOWN["glosses"]


def test_the_golden_sample_is_a_val_clip_as_it_was_extracted(exported):
    config, folder = exported
    with np.load(folder / "golden.npz", allow_pickle=False) as golden:
        arrays = dict(golden)
    source = Path(config.paths.data_root) / "tiny/keypoints/mediapipe_holistic/up/6.npz"
    with np.load(source, allow_pickle=False) as stored:
        np.testing.assert_array_equal(arrays["keypoints"], stored["keypoints"])
    assert arrays["sequence"].shape == (1, len(arrays["keypoints"]), 137)
    assert arrays["padding_mask"].dtype == bool and not arrays["padding_mask"].any()
    assert arrays["gloss_logits"].shape == (1, 3) and arrays["category_logits"].shape == (1, 2)


def test_preprocessing_names_every_column_of_the_input(exported):
    _, folder = exported
    content = json.loads((folder / "preprocessing.json").read_text())
    columns = content["inputs"]["sequence"]["columns"]
    assert len(columns) == 137 and columns[:2] == ["pose.nose.x", "pose.nose.y"]
    assert columns[-3:] == ["pose.presence", "left_hand.presence", "right_hand.presence"]
    with np.load(folder / "golden.npz", allow_pickle=False) as golden:
        sequence, keypoints = golden["sequence"][0], golden["keypoints"]
    # Independent of the reader: the left hand of the drawn signers is always there, the right one sometimes not.
    assert (sequence[:, columns.index("left_hand.presence")] == 1).all()
    missing = np.isnan(keypoints[:, get_layout("holistic_75").parts["right_hand"], 0]).all(1)
    assert (sequence[:, columns.index("right_hand.presence")] == ~missing).all()
    assert (sequence[:, columns.index("left_hand.wrist.x")] == 0).all()  # a hand's origin is its wrist
    assert content["modality"]["normalization"] == "neck" and content["extractor"]["model_complexity"] == 1


def test_labels_are_in_the_order_of_the_logits(exported):
    _, folder = exported
    labels = json.loads((folder / "labels.json").read_text())
    assert labels == {"glosses": KNOWN["glosses"], "categories": KNOWN["categories"], "languages": []}


def test_exporting_leaves_the_runs_status(exported):
    _, folder = exported
    assert json.loads((folder.parent / "status.json").read_text()) == {"stage": "classify"}


def test_the_card_says_what_is_not_known(exported):
    _, folder = exported
    card = (folder / "MODEL_CARD.md").read_text()
    assert "This checkpoint was not evaluated on test" in card
    assert "nothing is rejected" in card and "across, round, up" in card
    assert "| train | 18 | 6 | 3 |" in card


SIZES = ["model.d_model=16", "model.num_heads=2", "model.ffn_dim=16"]
NETWORKS = {
    "conv_transformer": [*SIZES, "model.blocks_per_stage=1"],
    "transformer": [*SIZES, "model.num_layers=1", "model.pooling=cls"],
    "gru": [],
    "ptn": [*SIZES, "model.num_layers=1"],
    "poseformer": [*SIZES, "model.num_layers=1"],
    "vtn": [*SIZES, "model.num_layers=1", "modality=rgb"],
}


@pytest.mark.slow  # PyTorch's tracer needs 2 to 10 s for each
@pytest.mark.parametrize("model", NETWORKS)
def test_every_network_gives_the_same_logits_at_any_batch_size_and_length(model, tmp_path):
    from sign_recog.stages.build import build

    config = load_config("data=manifest", "data.source=x", f"model={model}", *NETWORKS[model])
    frames = model == "vtn"
    torch.manual_seed(0)
    sizes = {"num_glosses": 5, "num_categories": 2, "num_languages": 3}
    network = build(config.model, input_dim=3 if frames else 12, **sizes).eval()
    sequence = torch.zeros(1, 4, 3, 64, 64, dtype=torch.uint8) if frames else torch.randn(1, 9, 12)
    example = {"sequence": sequence, "padding_mask": torch.zeros(1, sequence.shape[1], dtype=torch.bool)}
    example["language"] = torch.zeros(1, dtype=torch.long)
    write_onnx(tmp_path / "a.onnx", network, example)
    assert largest_difference(tmp_path / "a.onnx", network, example) <= 1e-4


def test_a_file_of_other_weights_is_told_from_the_network(exported):
    """The check can fail: another network's file is far off."""
    config, folder = exported
    from sign_recog.stages.build import build

    torch.manual_seed(1)
    other = build(config.model, input_dim=137, num_glosses=3, num_categories=2, num_languages=0).eval()
    example = {"sequence": torch.zeros(1, 9, 137), "padding_mask": torch.zeros(1, 9, dtype=torch.bool)}
    assert largest_difference(folder / "model.onnx", other, example) > 1e-2


def test_a_difference_is_an_error_and_nothing_is_written(exported, tmp_path, monkeypatch):
    config, _ = exported
    config.run.output_dir = str(tmp_path / "out")
    monkeypatch.setattr("sign_recog.stages.export.write_onnx", lambda path, *_: path.write_bytes(b"x"))
    for difference in (2e-4, float("nan")):
        monkeypatch.setattr("sign_recog.stages.export.largest_difference", lambda *_, d=difference: d)
        with pytest.raises(SignRecogError, match=r"differ from PyTorch's by .* more than run.tolerance=0.0001"):
            stages.run(config)
    assert list((tmp_path / "out").iterdir()) == []
    config.run.output_dir = None


class OddNetwork(torch.nn.Module):
    """Its answer depends on a value that only a run can know."""

    def forward(self, sequence, padding_mask):
        return {"gloss_logits": torch.zeros(len(sequence), int(sequence.sum().item()) + 2)}


def test_a_network_that_cannot_be_exported_is_one_clear_error(tmp_path):
    example = {"sequence": torch.zeros(1, 4, 3), "padding_mask": torch.zeros(1, 4, dtype=torch.bool)}
    with pytest.raises(SignRecogError, match="OddNetwork cannot be exported to ONNX"):
        write_onnx(tmp_path / "a.onnx", OddNetwork(), example)
        largest_difference(tmp_path / "a.onnx", OddNetwork(), example)


def test_without_the_packages_it_says_what_to_install(tiny, monkeypatch, tmp_path):
    monkeypatch.setattr("sign_recog.stages.onnx_model.find_spec", lambda name: None)
    checkpoint = write_untrained(tmp_path / "a.ckpt", tiny(), **KNOWN)
    with pytest.raises(ConfigError, match=r"pip install 'sign-recog\[export\]'"):
        stages.run(tiny("run=export", f"run.checkpoint={checkpoint}"))


def test_without_the_corpus_a_sample_must_be_given(tiny, tmp_path):
    checkpoint = write_untrained(tmp_path / "a.ckpt", tiny(), **KNOWN)
    config = tiny("run=export", f"run.checkpoint={checkpoint}")
    config.paths.data_root = str(tmp_path / "none")
    with pytest.raises(DataError, match=r"Give run.sample=PATH"):
        stages.run(config)
