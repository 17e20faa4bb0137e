"""Several runs are judged together by their own collapse checks."""

import pytest

from sign_recog.evaluation.translation.seeds import above_chance


def check(real: bool | None, margin: float | None) -> dict:
    return {"real": real, "margin": {"bleu4": margin}}


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([], None),
        ([check(True, 2.0), check(True, 5.0)], (True, "2 of 2 runs are .* by 3.50 BLEU-4 in the mean, 2.00 at least")),
        ([check(True, 2.0), check(False, -1.0)], (False, "1 of 2 runs is .* by 0.50 .*, -1.00 at least")),
        ([check(None, None)], (False, "0 of 1 runs are significantly above what needs no video.$")),
    ],
)
def test_all_runs_must_be_above_chance(checks, expected):
    import re

    found = above_chance(checks)
    assert found == expected or (found[0] is expected[0] and re.match(expected[1], found[1]))
