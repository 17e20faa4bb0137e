"""Facts about files are believed only while the files stay as they were."""

import os

import pytest

from sign_recog.storage.memo import Memo


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "video.mp4"
    path.write_bytes(b"12345")
    return path


def remembered(tmp_path, file):
    memo = Memo(tmp_path / "memo.json")
    memo.put("a", [file], [1, None, "x"])
    memo.save()
    return Memo(tmp_path / "memo.json")


def test_a_value_comes_back_in_another_process(tmp_path, file):
    memo = remembered(tmp_path, file)
    assert memo.get("a", [file]) == [1, None, "x"]
    assert memo.get("b", [file]) is None


def test_a_changed_or_missing_file_is_looked_at_again(tmp_path, file):
    memo = remembered(tmp_path, file)
    stat = file.stat()
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert memo.get("a", [file]) is None
    memo = remembered(tmp_path, file)
    file.write_bytes(b"123456")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert memo.get("a", [file]) is None
    memo = remembered(tmp_path, file)
    file.unlink()
    assert memo.get("a", [file]) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', '{"a": [1]}', "\0"])
def test_a_damaged_file_counts_as_empty(tmp_path, file, content):
    (tmp_path / "memo.json").write_text(content)
    memo = Memo(tmp_path / "memo.json")
    assert memo.get("a", [file]) is None
    memo.put("a", [file], 7)
    memo.save()
    assert Memo(tmp_path / "memo.json").get("a", [file]) == 7


def test_nothing_is_written_where_nothing_is_new(tmp_path, file):
    before = (remembered(tmp_path, file).path).stat().st_mtime_ns
    memo = Memo(tmp_path / "memo.json")
    memo.get("a", [file])
    memo.save()
    assert (tmp_path / "memo.json").stat().st_mtime_ns == before
