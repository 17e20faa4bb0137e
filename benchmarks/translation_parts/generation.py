"""Sentences/s of generation, in batches and one at a time."""

import argparse
import statistics
import sys
import time
from pathlib import Path
from unittest import mock

from translation_parts.corpora import configured, networks, told

GOAL, BATCH = 4.0, 32


def generation(arguments: argparse.Namespace, folder: Path) -> bool:
    """Sentences/s in batches over one at a time, greedily and with five beams."""
    import numpy as np
    import torch

    from sign_recog.stages import translate

    torch.set_num_threads(1)
    met = []
    for name, overrides in networks().items():
        config = configured(folder, overrides, arguments.clips)
        material = translate.read_material(config)
        train = material.sets["train"]
        rows = np.argsort(train.source_lengths[: arguments.sentences], kind="stable")  # as evaluation sorts them
        sources = [torch.from_numpy(np.array(train.copies[0].read(int(row), None))) for row in rows]
        lengths = torch.from_numpy(train.target_lengths[rows])
        network = translate.assemble(config, material).network.eval()
        for beams in (1, 5):
            # One at a time takes long, so only some sentences are written so.
            few = range(0, len(sources), max(1, len(sources) // BATCH))
            rates: dict[int, list[float]] = {1: [], BATCH: []}
            for _ in range(3):
                for size, rate in rates.items():
                    rows = few if size == 1 else range(len(sources))
                    start = time.perf_counter()
                    write(network, [sources[row] for row in rows], lengths[list(rows)], size, beams)
                    rate.append(len(rows) / (time.perf_counter() - start))
            one, many = (statistics.median(rate) for rate in rates.values())
            print(f"{name}, {beams} beams: {many:.1f} sentences/s in batches of {BATCH}, {one:.2f} one at a time")
            ratio = statistics.median(b / a for a, b in zip(*rates.values(), strict=True))
            met.append(told(f"translation_generation_{name}_beams{beams}", ratio, GOAL))
    return all(met)


def write(network, sources: list, lengths, size: int, num_beams: int) -> None:
    """Sentences of ``lengths`` tokens for ``sources``, ``size`` at once."""
    import torch

    from sign_recog.models.translation.beam_search import beam_search

    for first in range(0, len(sources), size):
        some, wanted = sources[first : first + size], lengths[first : first + size]
        sequence = torch.nn.utils.rnn.pad_sequence(some, batch_first=True)
        mask = torch.arange(sequence.shape[1]) >= torch.tensor([len(one) for one in some])[:, None]
        settings = {"num_beams": num_beams, "max_length": int(lengths.max()) + 1, "length_penalty": 1.0}

        def ended(decoder, wanted=wanted, **known):
            return beam_search(Ending(decoder, wanted, num_beams, network.eos_id), **known)

        with mock.patch.object(sys.modules[type(network).__module__], "beam_search", ended):
            found = network.generate(sequence, mask, **settings)
        written = [len(own[0].tokens) + 1 for own in found]
        assert written == wanted.tolist(), "a sentence did not end where it was told to"


class Ending:
    """Steps of a network with random weights; the end of a sentence is certain at its length, impossible before."""

    def __init__(self, decoder, lengths, num_beams: int, eos_id: int):
        self.decoder, self.lengths, self.num_beams, self.eos_id = decoder, lengths, num_beams, eos_id
        self.length = 0

    def step(self, tokens):
        self.length += 1
        scores = self.decoder.step(tokens)
        at_end = (self.lengths == self.length).repeat_interleave(self.num_beams)
        scores[:, self.eos_id] = scores.new_tensor(-1e9).where(~at_end, scores.new_tensor(1e4))
        return scores

    def keep(self, rows, sentences) -> None:
        self.decoder.keep(rows, sentences)
        self.lengths = self.lengths[sentences]
