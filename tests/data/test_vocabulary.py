"""Labels: order, and a clear word on those outside."""

import pytest

from sign_recog.data.vocabulary import NO_CATEGORY, Labels, Vocabulary
from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip

TRAIN = [Clip("a", gloss="10", category="x"), Clip("b", gloss="9"), Clip("c", gloss="10")]


def test_numbers_sort_as_numbers_and_missing_categories_are_marked():
    vocabulary = Vocabulary.from_clips(TRAIN)
    assert vocabulary.glosses == ("9", "10")
    assert vocabulary.encode(TRAIN) == Labels([1, 0, 1], [0, NO_CATEGORY, NO_CATEGORY], [0, 0, 0])


def test_labels_outside_are_counted_and_the_remedy_named():
    clips = [Clip("d", gloss="water", category="y"), Clip("e", gloss="water"), Clip("f", gloss="9")]
    with pytest.raises(DataError) as caught:
        Vocabulary.from_clips(TRAIN).encode(clips)
    assert "gloss 'water': 2 clips, none of them in train" in str(caught.value)
    assert "category 'y': 1 clips" in str(caught.value)
    assert "data.exclude_glosses=[water]" in str(caught.value)


def test_languages_count_only_where_there_are_several():
    clips = [Clip("a", gloss="x", extra={"language": "VGT"}), Clip("b", gloss="y", extra={"language": "NGT"})]
    vocabulary = Vocabulary.from_clips(clips)
    assert vocabulary.languages == ("NGT", "VGT") and vocabulary.encode(clips).languages == [1, 0]
    assert Vocabulary.from_clips(clips[:1]).languages == ()


def test_numbers_that_are_equal_have_an_order_too():
    """Sorted by value alone, "1" and "01" stood as Python's hashes of this process had them."""
    names = [f"{zeros}{n}" for n in range(1, 9) for zeros in ("", "0", "00")]
    found = Vocabulary.from_clips([Clip(f"c{i}", gloss=name) for i, name in enumerate(names)]).glosses
    assert list(found) == sorted(names, key=lambda name: (int(name), name))
