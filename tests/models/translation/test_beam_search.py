"""Beam search against all sentences there are, and against HuggingFace's own."""

import itertools
import math

import pytest
import torch

from sign_recog.errors import ConfigError
from sign_recog.models.translation.beam_search import beam_search, check_generation, without_end

EOS, START = 0, 1


class Table:
    """A decoder over ``vocab_size`` tokens whose logits depend on the whole sentence so far, drawn once for each."""

    def __init__(self, num_sentences: int, num_beams: int, vocab_size: int, sharpness: float = 1.0, first: int = 0):
        self.vocab_size, self.sharpness, self.calls = vocab_size, sharpness, []
        self.rows = [(first + s, ()) for s in range(num_sentences) for _ in range(num_beams)]

    def logits(self, sentence: int, prefix: tuple[int, ...]) -> torch.Tensor:
        draw = torch.Generator().manual_seed(hash((sentence, prefix)) % 2**31)
        return self.sharpness * torch.randn(self.vocab_size, generator=draw)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        self.calls.append(len(tokens))
        self.rows = [(s, (*prefix, t)) for (s, prefix), t in zip(self.rows, tokens.tolist(), strict=True)]
        return torch.stack([self.logits(*row) for row in self.rows])

    def keep(self, rows: torch.Tensor, sentences: torch.Tensor) -> None:
        self.rows = [self.rows[row] for row in rows.tolist()]


def search(table: Table, num_sentences: int, num_beams: int, **settings):
    known = {"max_length": 4, "length_penalty": 1.0, "num_return": 1, "never": (START,)} | settings
    return beam_search(
        table,
        num_sentences=num_sentences,
        num_beams=num_beams,
        start_id=START,
        eos_id=EOS,
        device=torch.device("cpu"),
        **known,
    )


def every_sentence(table: Table, sentence: int, max_length: int, penalty: float) -> list[tuple[tuple[int, ...], float]]:
    """All sentences with their scores, best first, by the definition alone."""
    others = [t for t in range(table.vocab_size) if t not in (EOS, START)]
    found = [
        (*words, EOS) if length < max_length else words
        for length in range(max_length + 1)
        for words in itertools.product(others, repeat=length)
    ]
    scored = []
    for tokens in found:
        total = sum(
            table.logits(sentence, (START, *tokens[:i])).log_softmax(0)[token].item() for i, token in enumerate(tokens)
        )
        scored.append((tuple(t for t in tokens if t != EOS), total / len(tokens) ** penalty))
    return sorted(scored, key=lambda one: -one[1])


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("sentence", range(3))
def test_with_beams_enough_the_best_of_all_sentences_are_found(penalty, sentence):
    table = Table(1, 130, vocab_size=5, first=sentence)
    (found,) = search(table, 1, 130, length_penalty=penalty, num_return=40)
    expected = every_sentence(table, sentence, 4, penalty)
    assert len(expected) == 1 + 3 + 9 + 27 + 81
    assert [tuple(h.tokens) for h in found] == [tokens for tokens, _ in expected[:40]]
    assert [h.score for h in found] == pytest.approx([score for _, score in expected[:40]], abs=1e-5)


def test_fewer_come_back_where_there_are_no_more_sentences():
    (found,) = search(Table(1, 10, vocab_size=3), 1, 10, max_length=2, num_return=10)
    assert sorted(tuple(h.tokens) for h in found) == [(), (2,), (2, 2)]


@pytest.mark.parametrize("num_beams", [1, 2, 5])
def test_sentences_of_a_batch_are_found_as_alone(num_beams):
    settings = {"max_length": 12, "num_return": num_beams}
    together = search(Table(9, num_beams, 8, sharpness=2), 9, num_beams, **settings)
    for i, found in enumerate(together):
        assert search(Table(1, num_beams, 8, sharpness=2, first=i), 1, num_beams, **settings) == [found]


def test_sentences_that_are_done_leave_the_batch():
    table = Table(9, 3, vocab_size=6, sharpness=2)
    search(table, 9, 3, max_length=30)
    assert table.calls[0] == 27 and table.calls[-1] < 27 and len(table.calls) < 30
    assert all(later <= earlier for earlier, later in itertools.pairwise(table.calls))


def test_one_beam_takes_the_likeliest_token_each_time():
    for sentence in range(20):
        table = Table(1, 1, vocab_size=6, first=sentence)
        ((found,),) = search(table, 1, 1, max_length=9)
        tokens = []
        while len(tokens) < 9:
            logits = table.logits(sentence, (START, *tokens))
            logits[START] = -math.inf
            tokens.append(int(logits.argmax()))
            if tokens[-1] == EOS:
                break
        assert found.tokens == [t for t in tokens if t != EOS]


def test_a_high_length_penalty_makes_longer_sentences():
    lengths = {
        penalty: sum(
            len(one[0].tokens) for one in search(Table(30, 4, 6), 30, 4, max_length=10, length_penalty=penalty)
        )
        for penalty in (0.0, 1.0, 3.0)
    }
    assert lengths[0.0] < lengths[1.0] < lengths[3.0]


def test_a_sentence_that_does_not_end_is_cut_at_the_longest_length():
    class Endless(Table):
        def logits(self, sentence, prefix):
            return torch.tensor([-1e9, 0.0, 2.0, 1.0])

    ((found,),) = search(Endless(1, 2, 4), 1, 2, max_length=5)
    assert found.tokens == [2] * 5
    assert found.score == pytest.approx(torch.tensor([-1e9, 0.0, 2.0, 1.0]).log_softmax(0)[2].item())


@pytest.mark.parametrize("numbers", [(0, 5, 1), (2, 0, 1), (2, 5, 0), (2, 5, 3), (2, 65, 1)])
def test_numbers_that_cannot_be_had_are_refused(numbers):
    check_generation(2, 64, 2, most=64)
    check_generation(2, 6400, 2, most=None)
    with pytest.raises(ConfigError):
        check_generation(*numbers, most=64)


def test_a_sentence_goes_to_its_first_end():
    assert without_end([4, 5, 0, 6, 0], EOS) == [4, 5] and without_end([4, 5], EOS) == [4, 5]
