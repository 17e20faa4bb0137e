import random
import re
import subprocess
import sys

import pytest

from sign_recog.errors import DataError
from sign_recog.evaluation.translation.compare import compare, compare_outputs
from sign_recog.evaluation.translation.tables import Outputs, write_outputs

WORDS = ["sun", "rain", "wind", "snow", "frost", "comes", "goes", "north", "south", "today", "and", "the", "a"]
REFERENCES = [" ".join(random.Random(i).choices(WORDS, k=4 + i % 9)) for i in range(30)]


def worse(share: float, seed: int) -> list[str]:
    """The references with a share of their words changed."""
    rng = random.Random(seed)
    return [" ".join(rng.choice(WORDS) if rng.random() < share else w for w in text.split()) for text in REFERENCES]


def write(folder, hypotheses, references=REFERENCES, clip_ids=None):
    clip_ids = clip_ids or [f"clip{i}" for i in range(len(references))]
    write_outputs(folder, "test", Outputs(clip_ids, [""] * len(references), references, hypotheses))
    return folder / "test_outputs.tsv"


def test_numbers_are_those_of_sacrebleus_command_line(tmp_path):
    write(tmp_path / "a", worse(0.2, 1))
    write(tmp_path / "b", worse(0.5, 2))
    files = [str(tmp_path / name / "test_hypotheses.txt") for name in ("a", "b")]
    command = [sys.executable, "-m", "sacrebleu", str(tmp_path / "a" / "test_references.txt"), "-i", *files]
    command += ["-m", "bleu", "chrf", "--paired-bs", "--paired-bs-n", "200", "-w", "4", "-f", "text"]
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"([\d.]+) \(([\d.]+) ± ([\d.]+)\)", table)
    p_values = re.findall(r"\(p = ([\d.]+)\)", table)
    found = compare_outputs(tmp_path / "a" / "test_outputs.tsv", tmp_path / "b" / "test_outputs.tsv", samples=200)
    systems = [found[name][which] for which in ("first", "second") for name in ("bleu4", "chrf")]
    assert [tuple(f"{s[key]:.4f}" for key in ("score", "mean", "half_width")) for s in systems] == rows
    assert [f"{found[name]['p_value']:.4f}" for name in ("bleu4", "chrf")] == p_values
    assert found["bleu4"]["p_value"] < 0.05
    assert found["bleu4"]["signature"].startswith("nrefs:1|bs:200|seed:12345|")


def test_a_system_does_not_differ_from_itself():
    found = compare(worse(0.3, 1), worse(0.3, 1), REFERENCES, samples=50)
    assert [(found[name]["difference"], found[name]["p_value"]) for name in ("bleu4", "chrf")] == [(0, 1), (0, 1)]


def test_systems_that_are_equally_good_do_not_differ_by_more_than_chance():
    assert compare(worse(0.3, 1), worse(0.3, 2), REFERENCES, samples=200)["chrf"]["p_value"] > 0.05


def test_rows_may_stand_in_another_order(tmp_path):
    ids = [f"clip{i}" for i in range(30)]
    order = random.Random(0).sample(range(30), 30)
    a = write(tmp_path / "a", worse(0.2, 1))
    b = write(tmp_path / "b", worse(0.5, 2))
    hypotheses = worse(0.5, 2)
    mixed = write(
        tmp_path / "mixed", [hypotheses[i] for i in order], [REFERENCES[i] for i in order], [ids[i] for i in order]
    )
    assert compare_outputs(a, b, samples=50) == compare_outputs(a, mixed, samples=50)


def test_other_clips_or_references_are_refused(tmp_path):
    a = write(tmp_path / "a", worse(0.2, 1))
    b = write(tmp_path / "b", worse(0.2, 1)[:29], REFERENCES[:29])
    with pytest.raises(DataError, match=r"1 clips are in only one of the two \(clip29\)"):
        compare_outputs(a, b, samples=10)
    c = write(tmp_path / "c", worse(0.2, 1), ["another one", *REFERENCES[1:]])
    with pytest.raises(DataError, match="1 clips have another reference in each, as clip clip0"):
        compare_outputs(a, c, samples=10)
    with pytest.raises(DataError, match="no such file"):
        compare_outputs(a, tmp_path / "d.tsv", samples=10)
