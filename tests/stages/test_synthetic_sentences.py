"""The experiment on drawn sentences: its steps, and the way from rendered sentences to a checked score."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import load_config

from sign_recog import stages
from sign_recog.corpora.synthetic.grammar import all_sentences
from sign_recog.stages.run_folder import corpus_root, extractor_name

EXPERIMENT = "+experiment=synthetic_sentences"
SMALL = (
    "data.corpus.num_signers={train: 2, val: 1, test: 1}",
    "data.corpus.sentences_per_signer={train: 3, val: 2, test: 2}",
    "data.corpus.image_size=128", "data.corpus.fps=6", "model.d_model=16", "model.ffn_dim=16", "model.num_heads=2",
    "trainer.max_epochs=2", "trainer.early_stopping.enabled=false", "trainer.batch_size=2",
    "translation.max_target_length=12", "generation.max_length=12",
)  # fmt: skip


def test_it_goes_from_nothing_to_a_report():
    steps = load_config(EXPERIMENT).run.steps
    assert steps == ["prepare", "extract_keypoints", "translate", "evaluate", "report"]


@pytest.mark.slow
def test_rendered_sentences_become_a_checked_score(tmp_path):
    """With the drawn signers' true landmarks in place of MediaPipe's."""
    pytest.importorskip("cv2", reason="OpenCV cannot be loaded; see the README on libGL", exc_type=ImportError)
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    config = load_config(EXPERIMENT, *SMALL, *paths, "run=prepare", "run.num_workers=0")
    stages.run(config)
    root = corpus_root(config)
    shutil.copytree(root / "truth", root / "keypoints" / extractor_name(config))
    config = load_config(
        EXPERIMENT, *SMALL, *paths, "run.steps=[translate,evaluate,report]", "run.evaluate.bootstrap_samples=100"
    )
    stages.run(config)
    folder = Path(config.paths.run_dir)
    report = json.loads((folder / "report.json").read_text())
    assert report["splits"]["test"] == {"clips": 2, "signers": 1, "glosses": 0} and report["leakage"] == []
    known = {sentence.text for sentence in all_sentences()}
    assert report["collapse"]["baselines"]["most_frequent"]["text"] in known
    assert {example["reference"] for example in report["examples"]} <= known
    assert "Is the score real?" in (folder / "report.html").read_text()
