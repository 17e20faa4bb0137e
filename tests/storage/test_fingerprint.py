"""A changed file has another fingerprint; a copy has the same."""

import shutil

import pytest

from sign_recog.storage.fingerprint import fingerprint

MIB = 2**20


def test_copies_share_it(tmp_path):
    (tmp_path / "a").write_bytes(b"0123" * MIB)
    shutil.copy(tmp_path / "a", tmp_path / "b")
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")


@pytest.mark.parametrize("size", [1, 1000, MIB, MIB + 1, 2 * MIB, 5 * MIB])
def test_a_changed_first_or_last_byte_or_length_shows(tmp_path, size):
    original = bytearray(i % 251 for i in range(1000)) * (size // 1000 + 1)
    variants = [original[:size], original[: size + 1]]
    for place in {0, size - 1}:
        variants.append(original[:size])
        variants[-1][place] ^= 1
    prints = []
    for data in variants:
        (tmp_path / "video").write_bytes(data)
        prints.append(fingerprint(tmp_path / "video"))
    assert len(set(prints)) == len(prints)


def test_an_empty_file_has_one(tmp_path):
    (tmp_path / "video").touch()
    assert fingerprint(tmp_path / "video").startswith("0-")
