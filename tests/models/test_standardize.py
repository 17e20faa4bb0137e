"""Inputs brought to mean 0 and deviation 1."""

import torch

from sign_recog.models.standardize import Standardize


def make_batches():
    torch.manual_seed(0)
    for num_clips in (3, 5):
        sequence = 4 + 3 * torch.randn(num_clips, 6, 2)
        padding_mask = torch.arange(6) >= torch.randint(2, 7, (num_clips, 1))
        yield sequence.masked_fill(padding_mask.unsqueeze(-1), 1e4), padding_mask


def test_all_training_frames_and_no_padding_decide_mean_and_deviation():
    standardize, batches = Standardize(2), list(make_batches())
    for sequence, padding_mask in batches:
        standardize(sequence, padding_mask)
    frames = torch.cat([sequence[~padding_mask] for sequence, padding_mask in batches])
    standardize.eval()
    sequence, padding_mask = batches[0]
    expected = (sequence - frames.mean(0)) / frames.std(0, correction=0)
    torch.testing.assert_close(standardize(sequence, padding_mask)[~padding_mask], expected[~padding_mask])


def test_evaluation_changes_nothing_and_an_untrained_one_passes_on():
    standardize = Standardize(2).eval()
    sequence, padding_mask = next(make_batches())
    torch.testing.assert_close(standardize(sequence, padding_mask), sequence)
    assert standardize.count == 0


def test_a_value_that_never_changes_stays_finite():
    standardize = Standardize(1)
    assert torch.isfinite(standardize(torch.ones(2, 3, 1), torch.zeros(2, 3, dtype=torch.bool))).all()


def test_the_statistics_are_part_of_the_state():
    standardize, other = Standardize(2), Standardize(2)
    sequence, padding_mask = next(make_batches())
    standardize(sequence, padding_mask)
    other.load_state_dict(standardize.state_dict())
    torch.testing.assert_close(other.eval()(sequence, padding_mask), standardize.eval()(sequence, padding_mask))
