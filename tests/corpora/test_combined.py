"""Several corpora as one: no label, signer or clip of one is taken for another's."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import GLOSSES, TINY, load_config, write_tiny_corpus

from sign_recog import stages
from sign_recog.corpora import combined
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import ConfigError, DataError
from sign_recog.landmarks.layout import get_layout
from sign_recog.stages.recognizer import load_recognizer
from sign_recog.stages.run_folder import corpus_dir
from sign_recog.storage.checkpoint import read_checkpoint
from sign_recog.storage.corpus import open_corpus
from sign_recog.storage.manifest import read_manifest
from sign_recog.storage.sequences import read_keypoints, write_keypoints

TRAIN = ("trainer.max_epochs=2", "optim.lr=1e-2")


@pytest.fixture
def members(tmp_path) -> dict[str, str]:
    """Two prepared corpora with the same glosses, signers and clip names."""
    found = {}
    for name in ("ngt", "vgt"):
        config = load_config(*TINY, f"data.name={name}", f"paths.data_root={tmp_path / 'data'}")
        write_tiny_corpus(config, clips_per_gloss=6 if name == "ngt" else 8)
        found[name] = str(tmp_path / "data" / name)
    return found


def configure(tmp_path: Path, members: dict[str, str], *overrides: str):
    tiny = [o for o in TINY if not o.startswith("data")]
    named = ",".join(f"{name}: {folder}" for name, folder in members.items())
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    return load_config(*tiny, *paths, "data=combined", f"data.corpus.members={{{named}}}", *overrides)


def read(members: dict[str, str], **settings):
    return combined.read(
        Path(), members=members, **{"languages": None, "shared_labels": False, "extractor": None, **settings}
    )


def test_s0_multilingual_labels_need_no_offsets(members, tmp_path):
    stages.run(configure(tmp_path, members, "run=prepare"))
    config = configure(tmp_path, members, "run=classify", *TRAIN)
    clips = read_manifest(corpus_dir(config) / "manifest.tsv")
    assert {c.gloss for c in clips} == {f"{name}:{gloss}" for name in members for gloss in GLOSSES}
    assert len({c.clip_id for c in clips}) == len(clips) == 3 * 6 + 3 * 8
    assert not {c.signer for c in clips if c.extra["language"] == "ngt"} & {
        c.signer for c in clips if c.extra["language"] == "vgt"
    }
    stages.run(config)
    stages.run(configure(tmp_path, members, "run=evaluate", *TRAIN))
    trained = read_checkpoint(Path(config.paths.run_dir) / "checkpoints" / "best.ckpt")
    assert trained.languages == ["ngt", "vgt"] and len(trained.glosses) == 6
    metrics = json.loads((Path(config.paths.run_dir) / "metrics.json").read_text())
    assert metrics["scores"]["num_glosses"] == 6 and metrics["scores"]["num_clips"] == 6
    assert {name: row["num_clips"] for name, row in metrics["groups"]["language"].items()} == {"ngt": 3, "vgt": 3}
    # The same clip gets other logits in another language.
    network = load_recognizer(trained, config.trainer).network
    sequence, padding_mask = torch.rand(1, 9, trained.input_dim), torch.zeros(1, 9, dtype=torch.bool)
    device = next(network.parameters()).device
    with torch.no_grad():
        first, second = (
            network(sequence.to(device), padding_mask.to(device), torch.tensor([i], device=device))["gloss_logits"]
            for i in range(2)
        )
    assert not torch.allclose(first, second, atol=1e-6)


def test_keypoints_are_the_members_own(members):
    corpus = read(members)
    for clip in (corpus.clips[0], corpus.clips[-1]):
        member, _, name = clip.clip_id.partition("/")
        source = read_keypoints(Path(members[member]) / "keypoints" / "mediapipe_holistic" / f"{name}.npz")
        sequence = corpus.keypoints(clip)
        np.testing.assert_array_equal(sequence.keypoints, source.keypoints)
        assert sequence.meta["clip_id"] == clip.clip_id and source.meta["clip_id"] == name
    assert corpus.features is None


def test_labels_may_be_shared_but_signers_are_not(members):
    clips = read(members, shared_labels=True).clips
    assert {c.gloss for c in clips} == set(GLOSSES) and {c.category for c in clips} == {"kind0", "kind1"}
    assert all(c.signer.startswith(f"{c.extra['language']}:") for c in clips)


def test_members_may_share_a_language_which_a_network_then_need_not_tell(members):
    """How2Sign and YouTube-ASL are two corpora of one language."""
    one = Vocabulary.from_clips(read(members, languages={"ngt": "dse", "vgt": "dse"}).clips)
    two = Vocabulary.from_clips(read(members, languages={"ngt": "dse", "vgt": "vgt"}).clips)
    assert one.languages == () and two.languages == ("dse", "vgt") and one.glosses == two.glosses
    with pytest.raises(ConfigError, match=r"has no language for vgt and names vtg, which is no member"):
        read(members, languages={"ngt": "dse", "vtg": "vgt"})


def test_splits_are_the_members(members):
    clips = {c.clip_id: c for c in read(members).clips}
    for name, folder in members.items():
        (manifest,) = Path(folder).glob("manifests/*")
        for clip in open_corpus(manifest).clips:
            assert clips[f"{name}/{clip.clip_id}"].split == clip.split


def test_clips_that_were_not_extracted_are_left_out_and_counted(members):
    (Path(members["vgt"]) / "keypoints" / "mediapipe_holistic" / "up" / "0.npz").unlink()
    corpus = read(members)
    assert "vgt/up/0" not in {c.clip_id for c in corpus.clips}
    assert corpus.notes == ["1 of 24 clips of vgt have no keypoints: left out."]


def test_members_that_do_not_fit_together_are_refused(members):
    folder = Path(members["vgt"]) / "keypoints" / "mediapipe_holistic"
    for path in folder.rglob("*.npz"):
        sequence = read_keypoints(path)
        points = get_layout("signon_67").index_in(sequence.layout)
        sequence.keypoints, sequence.confidence = sequence.keypoints[:, points], sequence.confidence[:, points]
        sequence.layout = get_layout("signon_67")
        sequence.meta = {}
        write_keypoints(path, sequence)
    with pytest.raises(DataError, match=r"different layouts \(ngt: holistic_75; vgt: signon_67\)"):
        read(members)


def test_what_the_user_must_mend_is_said(members, tmp_path):
    with pytest.raises(ConfigError, match="names 1 corpora; give at least two"):
        read({"ngt": members["ngt"]})
    with pytest.raises(ConfigError, match=r"'../ngt' becomes part of every clip_id"):
        read({"../ngt": members["ngt"], "vgt": members["vgt"]})
    with pytest.raises(DataError, match="holds no prepared corpus"):
        read({**members, "lse": str(tmp_path / "nothing")})
    write_tiny_corpus(load_config(*TINY, "data.name=vgt", "data.split.seed=7", f"paths.data_root={tmp_path / 'data'}"))
    (tmp_path / "data" / "ngt" / "keypoints" / "other").mkdir()
    with pytest.raises(DataError, match=r"holds the files of mediapipe_holistic, other.*data.corpus.extractor="):
        read(members)
    with pytest.raises(DataError, match=r"vgt: has 2 manifests"):
        read(members, extractor="mediapipe_holistic")
    with pytest.raises(DataError, match="neither keypoints nor features: ngt has none; vgt has none"):
        (manifest, _) = (str(path) for path in (Path(members["vgt"]) / "manifests").iterdir())
        read({"ngt": members["ngt"], "vgt": manifest}, extractor="unknown")
