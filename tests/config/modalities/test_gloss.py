"""modality=gloss goes with networks of translation, and with nothing that changes points or pictures."""

import pytest
from conftest import load_config

from sign_recog.errors import ConfigError

GLOSS = ("data=phoenix14t", "data.source=x", "modality=gloss", "model=transformer_seq2seq", "tokenizer=words")


def test_a_network_of_translation_reads_glosses():
    assert load_config(*GLOSS).modality.min_count == 1


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("model=transformer",), "a network of translation"),
        (("augment=features",), "Use augment=none"),
        (("modality.min_count=0",), "modality.min_count=0 must be at least 1"),
    ],
)
def test_what_does_not_go_together_is_refused(overrides, words):
    with pytest.raises(ConfigError, match=words):
        load_config(*GLOSS, *overrides)
