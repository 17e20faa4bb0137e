"""The corpus of sentences: rendered once, disjoint, and with its glosses."""

import pytest

from sign_recog.corpora.synthetic import sentences
from sign_recog.corpora.synthetic.grammar import GLOSSES
from sign_recog.errors import ConfigError
from sign_recog.storage.manifest import read_manifest, write_manifest
from sign_recog.storage.sequences import read_keypoints

SETTINGS = {
    "num_signers": {"train": 1, "val": 1, "test": 1},
    "sentences_per_signer": {"train": 2, "val": 1, "test": 1},
    "image_size": 128,
    "fps": 8,
    "seed": 3,
    "num_workers": 0,
}


def read(folder, **changes):
    return sentences.read(None, folder, **(SETTINGS | changes))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rendered")
    return folder, read(folder)


def test_signers_and_sentences_are_of_one_split_each(rendered):
    _, corpus = rendered
    assert [clip.split for clip in corpus.clips] == ["train", "train", "val", "test"]
    assert len({clip.text for clip in corpus.clips}) == 4
    assert len({clip.signer for clip in corpus.clips}) == 3


def test_clips_say_what_is_signed_and_survive_the_manifest(rendered, tmp_path):
    folder, corpus = rendered
    write_manifest(tmp_path / "manifest.tsv", corpus.clips)
    assert read_manifest(tmp_path / "manifest.tsv") == corpus.clips
    for clip in corpus.clips:
        glosses = clip.extra["glosses"].split()
        truth = read_keypoints(folder / "truth" / f"{clip.clip_id}.npz")
        assert set(glosses) <= set(GLOSSES) and clip.gloss == ""
        assert len(truth.meta["signs"]) == len(glosses)
        assert truth.meta["fps"] == 8 and (corpus.video_dir / clip.video).stat().st_size > 1000


def test_whole_clips_are_kept_and_others_do_not_change_test(rendered):
    folder, corpus = rendered
    times = {p: p.stat().st_mtime_ns for p in folder.rglob("*.mp4")}
    more = read(folder, sentences_per_signer={"train": 3, "val": 1, "test": 1})
    assert more.clips[:2] == corpus.clips[:2] and more.clips[3:] == corpus.clips[2:]
    assert {p: p.stat().st_mtime_ns for p in times} == times


def test_signs_of_different_meaning_look_different():
    signs = sentences.signs_of()
    assert len({sign.gloss for sign in signs.values()}) == len(signs) == len(GLOSSES)


def test_bad_settings_are_named(tmp_path):
    with pytest.raises(ConfigError) as error:
        read(tmp_path, fps=0, image_size=99, sentences_per_signer={"train": 1, "val": 0, "test": 1})
    for word in ("fps=0", "image_size=99", "sentences_per_signer.val=0"):
        assert word in str(error.value)
    with pytest.raises(ConfigError, match="1502 sentences are asked for and the grammar has 1500"):
        read(tmp_path, sentences_per_signer={"train": 1500, "val": 1, "test": 1})
    assert not list(tmp_path.iterdir())
