"""run=prepare: originals to manifest, whatever the corpus, touching no original."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import load_config
from small_wlasl import square_frames, write_small_wlasl

from sign_recog import stages
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.corpus import open_corpus
from sign_recog.storage.manifest import read_manifest
from sign_recog.video.reader import read_frames
from sign_recog.video.writer import write_video


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
        found = (p for p in tmp_path.rglob("*") if p.is_file() and p.name != ".lock")  # which names its last owner
        return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in found}

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


def prepare_wlasl(wlasl, tmp_path: Path, *overrides: str):
    """What the command prepares that gives nothing but the path; the small videos need no worker processes."""
    config = load_config(
        "run=prepare", "data=wlasl100", f"data.video_dir={wlasl.video_dir}", f"paths.data_root={tmp_path / 'data'}",
        f"paths.output_root={tmp_path / 'outputs'}", "run.num_workers=0", *overrides,
    )  # fmt: skip
    result = stages.run(config)
    return open_corpus(prepared_file(tmp_path, config.data.name, "corpus.json").parent), result.summary


def test_s2_what_is_lost_is_counted_in_a_table(tmp_path, capsys):
    """S2 logged rejected clips and scored on the rest; the table travels with every score."""
    wlasl = write_small_wlasl(tmp_path / "wlasl", 2, (3, 1, 1))
    of_split = {s: [name for name, e in wlasl.entries.items() if e["subset"] == s] for s in ("train", "val")}
    (wlasl.video_dir / f"{of_split['train'][0]}.mp4").unlink()
    (wlasl.video_dir / f"{of_split['train'][1]}.mp4").write_bytes(b"broken")
    write_video(wlasl.video_dir / f"{of_split['val'][0]}.mp4", square_frames(0, 9, (64, 48)), 25)  # 9 of 10 frames
    corpus, summary = prepare_wlasl(wlasl, tmp_path)
    assert corpus.info["coverage"] == {
        "train": {"annotated": 6, "kept": 4, "left_out": {"missing video": 1, "unreadable video": 1}},
        "val": {"annotated": 2, "kept": 1, "left_out": {"too short": 1}},
        "test": {"annotated": 2, "kept": 2, "left_out": {}},
    }
    assert summary["train coverage"] == "6 -> 4 clips (missing video 1, unreadable video 1)"
    assert summary["val coverage"] == "2 -> 1 clips (too short 1)" and "test coverage" not in summary
    lines = (corpus.folder / "left_out.tsv").read_text().splitlines()
    lost = [of_split["train"][0], of_split["train"][1], of_split["val"][0]]
    assert sorted(line.split("\t")[0] for line in lines[1:]) == sorted(lost)
    assert "Coverage of the annotation" in capsys.readouterr().out
    assert set(lost).isdisjoint(clip.clip_id for clip in corpus.clips)


def test_a_gloss_whose_train_clips_are_all_lost_is_left_out_and_counted(tmp_path):
    """On another machine other videos are missing; the same command must not fail there."""
    wlasl = write_small_wlasl(tmp_path / "wlasl", 3, (2, 1, 1))
    for name, entry in wlasl.entries.items():
        if entry["subset"] == "train" and entry["action"][0] == 1:
            (wlasl.video_dir / f"{name}.mp4").unlink()
    corpus, _ = prepare_wlasl(wlasl, tmp_path)
    table = corpus.info["coverage"]
    assert table["test"] == {"annotated": 3, "kept": 2, "left_out": {"no train clip of its gloss is left": 1}}
    assert table["train"]["left_out"] == {"missing video": 2} and corpus.info["glosses"] == 2


def test_clips_that_the_user_does_not_want_are_not_missed(tmp_path):
    wlasl = write_small_wlasl(tmp_path / "wlasl", 3, (2, 1, 1))
    names = {name for name, entry in wlasl.entries.items() if entry["action"][0] == 0}
    (wlasl.video_dir / f"{min(names)}.mp4").unlink()
    corpus, _ = prepare_wlasl(wlasl, tmp_path, "data.glosses=[0]", "data.split.drop_partial_glosses=true")
    annotated = sum(row["annotated"] for row in corpus.info["coverage"].values())
    assert annotated == len(names) == len(corpus.clips) + 1


def test_small_clips_take_the_place_of_the_originals_for_all_that_follows(tmp_path):
    wlasl = write_small_wlasl(tmp_path / "wlasl", 2, (2, 1, 1), boxes=True)
    originals = {path: path.read_bytes() for path in wlasl.video_dir.iterdir()}
    plain, _ = prepare_wlasl(wlasl, tmp_path)
    small, summary = prepare_wlasl(wlasl, tmp_path, "data.clip_size=32", "data.crop=annotation")
    assert summary["small clips made"] == len(wlasl.entries)
    assert [c.clip_id for c in small.clips] == [c.clip_id for c in plain.clips]
    for before, after in zip(plain.clips, small.clips, strict=True):
        frames = list(read_frames(small.video_path(after), start_s=after.start_s, end_s=after.end_s))
        span = list(read_frames(plain.video_path(before), start_s=before.start_s, end_s=before.end_s))
        assert len(frames) == len(span) and {frame.image.shape for frame in frames} == {(32, 40, 3)}  # 80 x 64
        assert (after.gloss, after.split, after.signer) == (before.gloss, before.split, before.signer)
        assert after.extra["source_video"] == before.video and after.extra["source_box"] == "8 4 88 68"
    assert {path: path.read_bytes() for path in wlasl.video_dir.iterdir()} == originals
    _, again = prepare_wlasl(wlasl, tmp_path, "data.clip_size=32", "data.crop=annotation", "data.glosses=[0]")
    assert again["small clips made"] == 0 and again["small clips there before"] == len(wlasl.entries) / 2


def test_a_clip_that_is_found_damaged_while_it_is_encoded_is_counted(tmp_path):
    import av

    wlasl = write_small_wlasl(tmp_path / "wlasl", 2, (2, 1, 1))
    name = next(name for name, entry in wlasl.entries.items() if entry["subset"] == "train")
    path = wlasl.video_dir / f"{name}.mp4"
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(path.read_bytes())
    for position, size in packets[5:]:
        content[position : position + size] = b"\xff" * size
    path.write_bytes(content)
    corpus, summary = prepare_wlasl(wlasl, tmp_path, "data.clip_size=32")
    assert corpus.info["coverage"]["train"] == {"annotated": 4, "kept": 3, "left_out": {"damaged video": 1}}
    assert name not in {clip.clip_id for clip in corpus.clips} and summary["small clips not made"] == 1


def test_subsets_of_one_name_share_what_is_made(tmp_path):
    wlasl = write_small_wlasl(tmp_path / "wlasl", 2, (2, 1, 1))
    shared = ("data.name=wlasl", "data.clip_size=32")
    first, made = prepare_wlasl(wlasl, tmp_path, *shared)
    (wlasl.splits / "nslt_100.json").rename(wlasl.splits / "nslt_300.json")
    second, again = prepare_wlasl(wlasl, tmp_path, "data=wlasl300", *shared)
    assert made["small clips made"] == again["small clips there before"] == len(wlasl.entries)
    assert first.folder != second.folder and first.video_dir == second.video_dir


def test_s2_the_corpus_is_the_one_that_is_named(tmp_path):
    """S2 had a flag for the data set that nothing read."""
    wlasl = write_small_wlasl(tmp_path / "wlasl", 3, (2, 1, 1))
    hundred, _ = prepare_wlasl(wlasl, tmp_path)
    two, _ = prepare_wlasl(
        wlasl, tmp_path, "data.corpus.subset=2", "data.name=two", f"data.source={wlasl.splits}/nslt_100.json"
    )
    assert hundred.root.name == "wlasl100" and two.root.name == "two"
    assert {c.gloss for c in two.clips} < {c.gloss for c in hundred.clips} and two.info["glosses"] == 2


def test_what_is_lost_before_a_division_of_our_own_belongs_to_no_split(tmp_path):
    wlasl = write_small_wlasl(tmp_path / "wlasl", 2, (3, 1, 1))
    (wlasl.video_dir / f"{next(iter(wlasl.entries))}.mp4").unlink()
    corpus, summary = prepare_wlasl(wlasl, tmp_path, "data.split.strategy=random", "data.split.val_share=0.2")
    table = corpus.info["coverage"]
    assert table.pop("undivided") == {"annotated": 1, "kept": 0, "left_out": {"missing video": 1}}
    assert all(row["annotated"] == row["kept"] for row in table.values()) and "undivided coverage" in summary


def test_a_tables_own_boxes_are_cut_to(tmp_path):
    (tmp_path / "originals").mkdir()
    lines = ["video,gloss,split,x0,y0,x1,y1"]
    for i in range(6):
        write_video(tmp_path / f"originals/{i}.mp4", square_frames(i % 2, 12, (96, 72), seed=i), 25)
        lines.append(f"{i}.mp4,{'ab'[i % 2]},{['train', 'val', 'test'][i // 2]},10,4,70.5,68")
    (tmp_path / "originals/labels.csv").write_text("\n".join(lines) + "\n")
    columns = [f"data.corpus.columns.{name}=null" for name in ("video", "gloss", "signer")]
    small = ("data.clip_size=32", "data.crop=annotation", "run.num_workers=0")
    stages.run(prepare(tmp_path / "originals", tmp_path, *columns, *small))
    clips = read_manifest(prepared_file(tmp_path, "own", "manifest.tsv"))
    assert {clip.extra["source_box"] for clip in clips} == {"10 4 71 68"}


def test_min_frames_holds_for_any_corpus_with_videos(tmp_path):
    (tmp_path / "originals").mkdir()
    lines = ["video,gloss,split"]
    for i, length in enumerate([12, 12, 5, 12, 12, 12, 12, 9]):
        write_video(tmp_path / f"originals/{i}.mp4", square_frames(i % 2, length, (64, 48), seed=i), 25)
        lines.append(f"{i}.mp4,{'ab'[i % 2]},{['train', 'train', 'val', 'test'][i // 2]}")
    (tmp_path / "originals/labels.csv").write_text("\n".join([*lines, "gone.mp4,a,train"]) + "\n")
    columns = [f"data.corpus.columns.{name}=null" for name in ("video", "gloss", "signer")]
    stages.run(prepare(tmp_path / "originals", tmp_path, *columns, "data.min_frames=10"))
    coverage = json.loads(prepared_file(tmp_path, "own", "corpus.json").read_text())["coverage"]
    assert coverage["train"]["left_out"] == {"missing video": 1, "too short": 1}
    assert coverage["test"] == {"annotated": 2, "kept": 1, "left_out": {"too short": 1}}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.video_dir=x", "data.source"),
        ("data.clip_size=64", "without videos"),
        ("data.min_frames=5", "data.min_frames=1"),
    ],
)
def test_a_setting_of_videos_without_effect_is_refused(tmp_path, test_data, override, words):
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    source = f"data.source={test_data / 'kp_natops_uea'}"
    with pytest.raises(ConfigError, match="has no effect") as error:
        stages.run(load_config("run=prepare", "data=natops", source, *paths, override))
    assert words in str(error.value)


PREPARE = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from test_prepare import prepare
from sign_recog import stages
from sign_recog.stages import prepare as stage
write = stage.write_manifest
stage.write_manifest = lambda *a: (print("at it", flush=True), sys.stdin.readline(), write(*a))
stages.run(prepare(Path({originals!r}), Path({folder!r}), "data.split.strategy=random"))
"""


def test_of_two_that_prepare_a_corpus_at_once_the_second_finds_it_prepared(originals, tmp_path, caplog):
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    code = PREPARE.format(paths=paths, originals=str(originals), folder=str(tmp_path))
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    caplog.set_level("INFO")

    def said():
        return [message for message in caplog.messages if "is preparing here; waiting for it" in message]

    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as first:
        assert first.stdout.readline() == "at it\n"

        def let_go():
            while not said():
                time.sleep(0.05)
            time.sleep(1.2)  # it looks twice more
            first.stdin.write("go\n")
            first.stdin.close()

        helper = threading.Thread(target=let_go)
        helper.start()
        summary = stages.run(prepare(originals, tmp_path, "data.split.strategy=random")).summary
        helper.join()
        first.stdout.read()
    assert first.returncode == 0 and len(said()) == 1
    assert summary["prepared by"] == "another process, which this one waited for"
    assert summary["train clips"] + summary["val clips"] + summary["test clips"] == 12


def test_names_that_lead_elsewhere_or_are_too_long_for_a_file_are_refused(originals, tmp_path):
    (originals / "names.csv").write_text(
        "file,label,who,clip_id\nvideos/0.mp4,a,S0,../0\nvideos/1.mp4,b,S1," + "清" * 200 + "\n"
    )
    with pytest.raises(DataError) as caught:
        stages.run(
            prepare(
                originals, tmp_path, f"data.source={originals / 'names.csv'}", "data.corpus.columns.clip_id=clip_id"
            )
        )
    assert "'../0' is not a plain name" in str(caught.value)
    assert "has a part of 600 bytes (UTF-8), too long for the name of a file" in str(caught.value)
