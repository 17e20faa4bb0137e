"""Beam search over a batch of sentences, with one score for every place where hypotheses are compared."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from sign_recog.errors import ConfigError


class Hypothesis(NamedTuple):
    """A sentence in tokens, without start and end.

    Attributes:
        score: Sum of the log probabilities of its tokens, its end among them, over (their number)^length_penalty.
    """

    tokens: list[int]
    score: float


class StepDecoder(Protocol):
    """What beam search asks of a network: the next token of every row, and to keep some rows.

    Of S sentences with K beams each, row ``s * K + k`` is beam k of sentence s.
    """

    def step(self, tokens: Tensor) -> Tensor:
        """Logits (S * K, V) of what follows ``tokens`` (S * K,), the newest of every row."""
        ...

    def keep(self, rows: Tensor, sentences: Tensor) -> None:
        """Go on with ``rows`` (S' * K,) in this order, which belong to ``sentences`` (S',); both count from 0.

        Not called where all rows stay as they are.
        """
        ...


def check_generation(num_beams: int, max_length: int, num_return: int, most: int | None) -> None:
    """Raises ConfigError where the numbers cannot be had; ``most`` is the network's longest sentence, None = any."""
    if min(num_beams, max_length, num_return) < 1:
        raise ConfigError(
            f"Generation with num_beams={num_beams}, max_length={max_length} and num_return={num_return}: "
            "each must be at least 1."
        )
    if num_return > num_beams:
        raise ConfigError(
            f"Generation of num_return={num_return} sentences with num_beams={num_beams}: a search yields no more "
            "sentences than it has beams. Use more beams, or ask for fewer."
        )
    if most is not None and max_length > most:
        raise ConfigError(
            f"Generation with max_length={max_length}: this network has positions for {most} tokens. "
            f"Use a max_length of at most {most}."
        )


@torch.no_grad()
def beam_search(
    decoder: StepDecoder,
    *,
    num_sentences: int,
    num_beams: int,
    max_length: int,
    length_penalty: float,
    num_return: int,
    start_id: int,
    eos_id: int,
    never: tuple[int, ...],
    device: torch.device,
) -> list[list[Hypothesis]]:
    """Return the ``num_return`` best sentences found for each, best first.

    At each step the ``2 * num_beams`` best continuations are looked at. Those among the first ``num_beams`` that end
    are finished; the best others go on. A sentence is done when it has ``num_beams`` finished hypotheses and the best
    unfinished one, scored at its present length, beats none of them: the rule of transformers with
    ``early_stopping=False``. Done sentences leave the batch. At ``max_length`` tokens what is unfinished counts as
    finished, without an end. Fewer than ``num_return`` come back only where there are fewer sentences of that length.

    Args:
        max_length: In tokens, the end among them.
        length_penalty: Above 0 favours long sentences, 0 compares sums of log probabilities.
        never: Tokens that are never generated, such as padding.
        device: Of the decoder.
    """
    scores = torch.full((num_sentences, num_beams), -torch.inf, device=device)
    scores[:, 0] = 0  # the beams begin as one
    tokens = torch.zeros(num_sentences, num_beams, max_length, dtype=torch.int64, device=device)
    newest = torch.full((num_sentences * num_beams,), start_id, dtype=torch.int64, device=device)
    best = _Finished(num_sentences, num_beams, max_length, device)
    found: list[list[Hypothesis]] = [[] for _ in range(num_sentences)]
    left = torch.arange(num_sentences, device=device)  # the sentences that the rows belong to
    forbidden = torch.tensor(sorted(never), dtype=torch.int64, device=device)

    for length in range(1, max_length + 1):
        log_probabilities = torch.log_softmax(decoder.step(newest).float(), dim=-1)
        log_probabilities[:, forbidden] = -torch.inf
        vocab_size = log_probabilities.shape[1]
        continued = scores.unsqueeze(2) + log_probabilities.view(len(left), num_beams, vocab_size)
        values, places = continued.flatten(1).topk(2 * num_beams, dim=1)
        beams, ids = places // vocab_size, places % vocab_size
        lines = tokens.gather(1, beams.unsqueeze(2).expand(-1, -1, max_length))
        lines[:, :, length - 1] = ids

        ends = ids == eos_id
        finishes = ends | (length == max_length)
        finishes[:, num_beams:] = False
        best.add(lines, values.masked_fill(~finishes, -torch.inf) / length**length_penalty, length)

        # the first of those that do not end, in order of their scores
        going = ends.to(torch.int8).argsort(dim=1, stable=True)[:, :num_beams]
        scores = values.gather(1, going).masked_fill(ends.gather(1, going), -torch.inf)
        done = (scores[:, 0] / length**length_penalty <= best.scores[:, -1]) | (length == max_length)
        if bool(done.any()):
            for sentence, hypotheses in zip(left[done].tolist(), best.taken(done, num_return, eos_id), strict=True):
                found[sentence] = hypotheses
        kept = (~done).nonzero().squeeze(1)
        if len(kept) == 0:
            break
        rows = (beams.gather(1, going) + torch.arange(len(left), device=device).unsqueeze(1) * num_beams)[kept]
        if num_beams > 1 or len(kept) < len(left):  # else all rows stay where they are
            decoder.keep(rows.flatten(), kept)
        tokens = lines.gather(1, going.unsqueeze(2).expand(-1, -1, max_length))[kept]
        newest = tokens[:, :, length - 1].flatten()
        scores, left = scores[kept], left[kept]
        best.keep(kept)
    return found


class _Finished:
    """The best finished hypotheses of every sentence, best first; a score of -inf stands for none."""

    def __init__(self, num_sentences: int, num_beams: int, max_length: int, device: torch.device) -> None:
        self.scores = torch.full((num_sentences, num_beams), -torch.inf, device=device)
        self._tokens = torch.zeros(num_sentences, num_beams, max_length, dtype=torch.int64, device=device)
        self._lengths = torch.zeros(num_sentences, num_beams, dtype=torch.int64, device=device)

    def add(self, tokens: Tensor, scores: Tensor, length: int) -> None:
        """Take in hypotheses (S, 2 * K, max_length) of one length."""
        lengths = torch.full(scores.shape, length, dtype=torch.int64, device=scores.device)
        self.scores, order = torch.cat((self.scores, scores), dim=1).topk(self.scores.shape[1], dim=1)
        self._lengths = torch.cat((self._lengths, lengths), dim=1).gather(1, order)
        wide = order.unsqueeze(2).expand(-1, -1, tokens.shape[2])
        self._tokens = torch.cat((self._tokens, tokens), dim=1).gather(1, wide)

    def keep(self, sentences: Tensor) -> None:
        """Forget all other sentences."""
        self.scores, self._tokens, self._lengths = (x[sentences] for x in (self.scores, self._tokens, self._lengths))

    def taken(self, done: Tensor, num_return: int, eos_id: int) -> list[list[Hypothesis]]:
        """The best of the sentences where ``done`` (S,) is True."""
        columns = (x[done, :num_return].tolist() for x in (self._tokens, self._lengths, self.scores))
        return [
            [
                Hypothesis(without_end(line[:length], eos_id), score)
                for line, length, score in zip(*sentence, strict=True)
                if score > -torch.inf
            ]
            for sentence in zip(*columns, strict=True)
        ]


def without_end(tokens: list[int], eos_id: int) -> list[int]:
    """``tokens`` up to their first ``eos_id``."""
    return tokens[: tokens.index(eos_id)] if eos_id in tokens else tokens
