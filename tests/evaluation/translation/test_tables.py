import csv
import json

import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from sign_recog.errors import DataError
from sign_recog.evaluation.translation.scores import score
from sign_recog.evaluation.translation.tables import (
    COLUMNS,
    Outputs,
    merge_outputs,
    read_outputs,
    score_groups,
    write_outputs,
    write_results,
)

HARD = [
    'a "b" c',
    "tab\there",
    "line\nend",
    "carriage\rreturn",
    "both\r\n",
    '"',
    "'",
    " space ",
    "größe – 手",
    "\u2028 x",
]


def outputs(hypotheses=HARD, references=HARD) -> Outputs:
    count = len(references)
    return Outputs([f"a/{i}" for i in range(count)], [f"s{i % 2}" for i in range(count)], references, hypotheses)


def test_s3_text_with_tabs_quotes_and_line_ends_survives_and_names_its_clip(tmp_path):
    written = outputs([*HARD[:-1], ""])
    write_outputs(tmp_path, "val", written)
    assert read_outputs(tmp_path / "val_outputs.tsv") == written
    with (tmp_path / "val_outputs.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    assert tuple(rows[0]) == COLUMNS
    assert {len(row) for row in rows} == {len(COLUMNS)}


def test_text_files_hold_a_line_a_clip(tmp_path):
    write_outputs(tmp_path, "val", outputs([*HARD[:-1], ""]))
    lines = (tmp_path / "val_hypotheses.txt").read_bytes().decode().split("\n")
    assert lines == [
        'a "b" c',
        "tab here",
        "line end",
        "carriage return",
        "both",
        '"',
        "'",
        "space",
        "größe – 手",
        "",
        "",
    ]
    assert len((tmp_path / "val_references.txt").read_bytes().splitlines()) == len(HARD)


def test_sentence_scores_stand_in_the_table(tmp_path):
    scores = write_outputs(tmp_path, "test", outputs(["we tie a knot", "no"], ["we tie a knot", "we tie it"]))
    with (tmp_path / "test_outputs.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [float(row["bleu4"]) for row in rows] == pytest.approx([100, 0])
    assert [float(row["chrf"]) for row in rows] == pytest.approx(scores["chrf"], abs=1e-4)


def test_nothing_is_left_of_an_evaluation_that_is_refused(tmp_path):
    with pytest.raises(DataError, match="a/1"):
        write_outputs(tmp_path, "test", outputs(["x", "y"], ["x", " "]))
    assert list(tmp_path.iterdir()) == []


def test_damaged_tables_are_refused(tmp_path):
    path = tmp_path / "test_outputs.tsv"
    write_outputs(tmp_path, "test", outputs())
    whole = path.read_bytes()
    for content in (whole[: whole.index(b'""b""') + 4], whole.replace(b"reference", b"refs", 1), b"", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="test_outputs"):
            read_outputs(path)


def test_a_clip_is_scored_once():
    """Processes that share a split repeat clips to have equally many; a repeated one must not count twice."""
    with pytest.raises(DataError, match="Clip a was translated twice"):
        Outputs(["a", "b", "a"], [""] * 3, ["x"] * 3, ["x"] * 3)
    with pytest.raises(ValueError, match="2 clips"):
        Outputs(["a", "b"], [""] * 2, ["x"], ["x"] * 2)


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_s3_clips_that_several_processes_repeat_count_once(processes):
    """Each process takes every n-th clip, and the first clips again until all have equally many."""
    references = [f"we tie knot {i} now" for i in range(7)]
    whole = outputs([text.replace("we", "you") if i % 2 else text for i, text in enumerate(references)], references)
    shared = [*range(7), *range(-7 % processes)]
    parts = [
        Outputs(*([column[i] for i in shared[rank::processes]] for column in whole.columns()))
        for rank in range(processes)
    ]
    assert sum(len(part.clip_ids) for part in parts) == 7 + -7 % processes
    merged = merge_outputs(parts, whole.clip_ids)
    assert merged == whole
    assert score(merged.hypotheses, merged.references) == score(whole.hypotheses, references)


def test_a_clip_that_no_process_translated_is_named():
    whole = outputs(["a", "b"], ["a", "b"])
    with pytest.raises(DataError, match=r"1 of them were not translated and 0 others were \(a/2\)"):
        merge_outputs([whole], ["a/0", "a/1", "a/2"])
    with pytest.raises(DataError, match="1 others"):
        merge_outputs([whole], ["a/0"])


def test_s3_results_have_its_names_and_scales(tmp_path):
    scores = score(["we tie a knot"], ["we tie a rope"])
    write_results(tmp_path / "test_results.json", scores, loss=1.5, accuracy=0.25)
    found = json.loads((tmp_path / "test_results.json").read_text())
    bleu, rouge = {"bleu1", "bleu2", "bleu3", "bleu4"}, {"rouge1", "rouge2", "rougeL", "rougeLsum"}
    assert {"loss", "acc", *bleu, *rouge, "meteor", "chrf", "bleurt"} <= set(found)
    assert (found["loss"], found["acc"]) == (1.5, 0.25)
    assert found["bleu1"] == pytest.approx(75)
    assert found["rouge1"] == pytest.approx(0.75)
    assert found["meteor"] is None
    assert "wordnet" in found["not_computed"]["meteor"]
    assert found["signatures"]["bleu4"] == scores["signatures"]["bleu4"]


def test_groups_are_scored_by_themselves():
    references = [f"the sun comes to the north at {i}" for i in range(16)]
    hypotheses = [text if i % 2 else text.replace("sun", "rain") for i, text in enumerate(references)]
    lengths = [100 - i for i in range(16)]
    found = score_groups(outputs(hypotheses, references), lengths, samples=50, seed=1)
    assert found["signer"]["s1"]["bleu4"] == pytest.approx(100)
    own = BLEU().corpus_score(hypotheses[::2], [references[::2]]).score
    assert found["signer"]["s0"]["bleu4"] == own
    low, high = found["signer"]["s0"]["bleu4_ci95"]
    assert low <= own <= high
    assert list(found["length"]) == ["85 to 88 frames", "89 to 92 frames", "93 to 96 frames", "97 to 100 frames"]
    assert [row["num_clips"] for row in found["length"].values()] == [4] * 4


def test_lengths_that_are_equal_stand_in_one_group():
    references = [f"text {i}" for i in range(10)]
    found = score_groups(outputs(references, references), [5] * 7 + [6, 7, 8], samples=5, seed=1, unit="windows")
    assert sum(row["num_clips"] for row in found["length"].values()) == 10
    assert found["length"]["5 windows"]["num_clips"] == 7
    assert "length" not in score_groups(outputs(references, references), [5] * 10, samples=5, seed=1)
    assert "length" not in score_groups(outputs(references, references), None, samples=5, seed=1)
    with pytest.raises(ValueError, match="9 lengths for 10 clips"):
        score_groups(outputs(references, references), [5] * 9, samples=5, seed=1)


def test_quarters_hold_a_quarter_of_the_clips():
    references = [f"text {i}" for i in range(101)]
    lengths = np.random.default_rng(0).permutation(101).tolist()
    rows = score_groups(outputs(references, references), lengths, samples=2, seed=1)["length"]
    assert [row["num_clips"] for row in rows.values()] == [26, 25, 25, 25]
