"""run=prepare: originals to manifest, whatever the corpus, touching no original."""

import json
from pathlib import Path

import pytest
from conftest import load_config

from sign_recog import stages
from sign_recog.errors import DataError
from sign_recog.storage.manifest import read_manifest


@pytest.fixture
def originals(tmp_path) -> Path:
    """A table of 12 clips of 3 glosses by 4 signers; the videos need not be readable to be listed."""
    folder = tmp_path / "originals"
    (folder / "videos").mkdir(parents=True)
    lines = ["file,label,who"]
    for i in range(12):
        (folder / "videos" / f"{i}.mp4").write_bytes(b"x" * (i + 1))
        lines.append(f"videos/{i}.mp4,{'abc'[i % 3]},S{i % 4}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def prepared_file(tmp_path: Path, corpus: str, name: str) -> Path:
    """What the last run=prepare wrote; each setting of the group data has a folder of its own."""
    return max((tmp_path / "data" / corpus / "manifests").glob(f"*/{name}"), key=lambda path: path.stat().st_mtime_ns)


def prepare(originals: Path, tmp_path: Path, *overrides: str):
    return load_config(
        "run=prepare", "data=manifest", f"data.source={originals / 'labels.csv'}", "data.name=own",
        "data.corpus.columns.video=file", "data.corpus.columns.gloss=label", "data.corpus.columns.signer=who",
        f"paths.data_root={tmp_path / 'data'}",
        f"paths.output_root={tmp_path / 'outputs'}", *overrides,
    )  # fmt: skip


def test_signers_are_disjoint_when_asked(originals, tmp_path):
    shares = ("data.split.strategy=signer_disjoint", "data.split.val_share=0.25", "data.split.test_share=0.25")
    stages.run(prepare(originals, tmp_path, *shares))
    clips = read_manifest(prepared_file(tmp_path, "own", "manifest.tsv"))
    signers = [{c.signer for c in clips if c.split == s} for s in ("train", "val", "test")]
    assert len(clips) == 12 and all(signers) and sum(map(len, signers)) == 4
    assert json.loads(prepared_file(tmp_path, "own", "corpus.json").read_text())["leakage"] == []


def test_shared_signers_are_named_in_a_warning(originals, tmp_path, caplog):
    stages.run(
        prepare(
            originals, tmp_path, "data.split.strategy=random", "data.split.val_share=0.25", "data.split.test_share=0.25"
        )
    )
    leakage = json.loads(prepared_file(tmp_path, "own", "corpus.json").read_text())["leakage"]
    assert any("S0" in sentence for sentence in leakage)
    assert all(sentence in caplog.text for sentence in leakage)


def test_s1_nothing_of_the_users_is_touched(originals, tmp_path):
    """S1's splitter emptied the folders it wrote to; here originals, notes beside results and other splits stay."""
    stages.run(prepare(originals, tmp_path, "data.split.strategy=random"))
    for folder in ("data", "data/own", "data/own/keypoints/other", "outputs/own"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "notes.txt").write_text("mine")

    def files():
        return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in tmp_path.rglob("*") if p.is_file()}

    before = files()
    stages.run(prepare(originals, tmp_path, "data.split.strategy=random", "data.split.seed=7"))
    after = files()
    assert {path: after.get(path) for path in before} == before and len(after) > len(before)


def test_s0_another_table_is_read_where_it_is_named(originals, tmp_path):
    """S0 took --data_path_override and read the same table as before."""
    few = (originals / "labels.csv").read_text().splitlines()[:7]
    (originals / "few.csv").write_text("\n".join(few) + "\n")
    found = []
    for name in ("labels", "few"):
        stages.run(prepare(originals, tmp_path, f"data.source={originals / name}.csv", "data.split.strategy=random"))
        found.append({clip.clip_id for clip in read_manifest(prepared_file(tmp_path, "own", "manifest.tsv"))})
    assert len(found[0]) == 12 and len(found[1]) == 6 and found[1] < found[0]


def test_a_gloss_that_only_test_has_is_refused_before_any_work(originals, tmp_path):
    text = (originals / "labels.csv").read_text().splitlines()
    rows = [f"{line},{'test' if ',c,' in line else 'train'}" for line in text[1:]]
    (originals / "labels.csv").write_text("\n".join([text[0] + ",split", *rows]) + "\n")
    with pytest.raises(DataError, match=r"gloss 'c': 4 clips, none of them in train(.|\n)*data.exclude_glosses=\[c\]"):
        stages.run(prepare(originals, tmp_path))


def test_a_missing_column_is_named(originals, tmp_path):
    with pytest.raises(DataError, match="label"):
        (originals / "labels.csv").write_text("file,who\nvideos/0.mp4,S\n")
        stages.run(prepare(originals, tmp_path, "data.split.strategy=random"))


@pytest.mark.parametrize("source", ["none.csv", "empty"])
def test_a_missing_or_empty_source_is_said(tmp_path, source):
    (tmp_path / "empty").mkdir()
    columns = [f"data.corpus.columns.{name}=null" for name in ("video", "gloss", "signer")]
    with pytest.raises(DataError, match=r"no such file|holds no|has no|no video|one subfolder"):
        stages.run(prepare(tmp_path, tmp_path, f"data.source={tmp_path / source}", *columns))


def test_glosses_that_a_split_lacks_are_dropped_and_named(originals, tmp_path):
    text = (originals / "labels.csv").read_text().splitlines()
    splits = ["train", "train", "val", "val", "test", "test"] * 2
    rows = [f"{line},{'train' if ',c,' in line else s}" for line, s in zip(text[1:], splits, strict=True)]
    (originals / "labels.csv").write_text("\n".join([text[0] + ",split", *rows]) + "\n")
    stages.run(prepare(originals, tmp_path, "data.split.drop_partial_glosses=true", "data.exclude_glosses=[a]"))
    assert {c.gloss for c in read_manifest(prepared_file(tmp_path, "own", "manifest.tsv"))} == {"b"}
    notes = json.loads(prepared_file(tmp_path, "own", "corpus.json").read_text())["notes"]
    assert "1 glosses are left out, since a split lacks them: c." in notes


def test_a_selection_of_categories(tmp_path):
    settings = ("run=prepare", "data.corpus.num_glosses=3", "data.corpus.num_signers={train: 1, val: 1, test: 1}")
    places = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    small = (*settings, *places, "data.corpus.image_size=160")
    stages.run(load_config(*small))
    before = read_manifest(prepared_file(tmp_path, "synthetic", "manifest.tsv"))
    category = before[0].category
    stages.run(load_config(*small, f"data.categories=[{category}]"))
    clips = read_manifest(prepared_file(tmp_path, "synthetic", "manifest.tsv"))
    assert {c.category for c in clips} == {category} and 0 < len(clips) < len(before)
    with pytest.raises(DataError, match=r"Correct data.categories"):
        stages.run(load_config(*small, "data.categories=[none]"))


def test_two_corpora_do_not_share_a_name(originals, tmp_path):
    shares = ("data.split.strategy=random", "data.split.val_share=0.25", "data.split.test_share=0.25")
    stages.run(prepare(originals, tmp_path, *shares))
    stages.run(prepare(originals, tmp_path, *shares, "data.split.seed=2"))
    (tmp_path / "moved").symlink_to(originals)
    with pytest.raises(
        DataError, match=r"was made from another corpus: data.corpus.source was .* Give this one a name"
    ):
        stages.run(prepare(tmp_path / "moved", tmp_path, *shares))
