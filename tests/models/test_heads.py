import pytest
import torch

from sign_recog.errors import ConfigError
from sign_recog.models.heads import Heads, masked_max, masked_mean


def test_pooling_looks_only_at_valid_frames():
    encoded = torch.tensor([[[-4.0], [-2.0], [50.0]]])
    mask = torch.tensor([[False, False, True]])
    assert masked_mean(encoded, mask).item() == -3
    assert masked_max(encoded, mask).item() == -2


def make(num_languages=0, language_dim=4, **settings):
    sizes = {"num_glosses": 3, "num_categories": 2, "dropout": 0.5, **settings}
    return Heads(6, num_languages=num_languages, language_dim=language_dim, **sizes).eval()


def test_heads_without_hidden_layer_are_linear():
    heads = make()
    a, b, zero = torch.randn(1, 6), torch.randn(1, 6), torch.zeros(1, 6)
    for key in ("gloss_logits", "category_logits"):
        torch.testing.assert_close(heads(a + b)[key] + heads(zero)[key], heads(a)[key] + heads(b)[key])


def test_the_languages_vector_stands_behind_the_clips():
    heads, clips, language = make(num_languages=5), torch.randn(2, 6), torch.tensor([4, 1])
    weight, bias = heads.gloss[-1].weight, heads.gloss[-1].bias
    expected = clips @ weight[:, :6].T + heads.language_embedding.weight[language] @ weight[:, 6:].T + bias
    torch.testing.assert_close(heads(clips, language)["gloss_logits"], expected)


@pytest.mark.parametrize("hidden_dim", [None, 8])
def test_names_are_those_from_before_there_were_languages(hidden_dim):
    last = 1 if hidden_dim is None else 4
    expected = {f"{label}.{last}.{kind}" for label in ("gloss", "category") for kind in ("weight", "bias")}
    hidden = {f"{label}.1.{kind}" for label in ("gloss", "category") for kind in ("weight", "bias")}
    assert set(make(num_languages=1, hidden_dim=hidden_dim).state_dict()) == expected | hidden


@pytest.mark.parametrize("language_dim", [None, 0, -1])
def test_several_languages_need_a_vector_each(language_dim):
    with pytest.raises(ConfigError, match=r"model\.language_dim=.*2 languages"):
        make(num_languages=2, language_dim=language_dim)
    make(num_languages=1, language_dim=language_dim)
