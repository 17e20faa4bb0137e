"""The UEA archive's .ts text."""

import numpy as np
import pytest

from sign_recog.errors import DataError
from sign_recog.formats.uea import read

HEADER = (
    "# a comment\n@problemName X\n@timeStamps false\n@dimensions 2\n@equalLength false\n@classLabel true a b\n@data\n"
)


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "X_TRAIN.ts"
    path.write_bytes(text.encode(encoding))
    return path


def test_dimensions_become_columns_and_cases_may_differ_in_length(tmp_path):
    cases = read(write(tmp_path, HEADER + "1,2,3:4,5,6:b\n\n-1.5e0,2:0,0:a\n"))
    np.testing.assert_array_equal(cases.values[0], [[1, 4], [2, 5], [3, 6]])
    np.testing.assert_array_equal(cases.values[1], [[-1.5, 0], [2, 0]])
    assert (cases.labels, cases.classes) == (["b", "a"], ["a", "b"])
    assert cases.values[0].dtype == np.float32


def test_comments_may_be_in_any_encoding(tmp_path):
    assert read(write(tmp_path, "# François\n" + HEADER + "1:2:a\n", "latin-1")).labels == ["a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1:2:a\n", "has no line @data"),
        (HEADER, "holds no case"),
        (HEADER + "1:2:c\n", "line 8: class 'c' is none of a, b"),
        (HEADER + "1:2:3:a\n1:a\n", r"2 bad lines(.|\n)*line 8: 3 dimensions(.|\n)*line 9: 1 dimensions"),
        (HEADER + "1,2:3:a\n", r"dimensions have \[1, 2\] values"),
        (HEADER + "?:3:a\n", "line 8: could not convert"),
        (HEADER + "nan:3:a\n", "line 8: a value is not finite"),
        (HEADER.replace("timeStamps false", "timeStamps true") + "1:2:a\n", "time stamps"),
        (HEADER.replace("@classLabel true a b\n", "") + "1:2:a\n", "no class labels"),
        (HEADER.replace("@equalLength false", "@equalLength true\n@seriesLength 3") + "1,2:3,4:a\n", "2 values, but"),
    ],
)
def test_wrong_files_are_refused_by_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, text))


def test_natops_is_what_the_archive_says(test_data):
    for name in ("TRAIN", "TEST"):
        path = test_data / "kp_natops_uea" / f"NATOPS_{name}.ts"
        cases = read(path)
        assert len(cases.values) == 180 and {case.shape for case in cases.values} == {(51, 24)}
        assert sorted(set(cases.labels)) == ["1.0", "2.0", "3.0", "4.0", "5.0", "6.0"]
        row = next(line for line in path.read_text("latin-1").splitlines() if line[:1] not in "#@")
        expected = np.array([[float(v) for v in part.split(",")] for part in row.split(":")[:-1]])
        np.testing.assert_allclose(cases.values[0].T, expected, rtol=1e-6)
