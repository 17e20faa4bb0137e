import numpy as np
import pytest

from sign_recog.corpora.synthetic.signs import MAX_GLOSSES, MAX_ORDERED, MOVEMENTS, build_lexicon, ease
from sign_recog.errors import ConfigError


def parameters(sign):
    return (sign.handshape.name, sign.place.name, sign.movement.name, sign.num_hands)


def test_every_sign_is_its_own_and_has_its_own_gloss():
    lexicon = build_lexicon(MAX_GLOSSES)
    assert len(lexicon) == MAX_GLOSSES == 630
    assert len({parameters(sign) for sign in lexicon}) == MAX_GLOSSES
    assert len({sign.gloss for sign in lexicon}) == MAX_GLOSSES


def test_ten_glosses_are_told_apart_by_two_parameters_or_more():
    lexicon = [parameters(sign) for sign in build_lexicon(10)]
    differences = [
        sum(x != y for x, y in zip(a, b, strict=True)) for i, a in enumerate(lexicon) for b in lexicon[i + 1 :]
    ]
    assert min(differences) >= 2


def test_a_larger_lexicon_begins_with_the_smaller():
    assert build_lexicon(40)[:10] == build_lexicon(10)


def test_category_can_be_told_from_the_place_and_holds_several_glosses():
    lexicon = build_lexicon(10)
    category = {sign.place.name: sign.category for sign in lexicon}
    assert len(set(category.values())) == 5
    for name in category.values():
        assert sum(sign.category == name for sign in lexicon) == 2


@pytest.mark.parametrize("num_glosses", [0, -1, MAX_GLOSSES + 1])
def test_impossible_lexicons_are_refused(num_glosses):
    with pytest.raises(ConfigError, match=f"num_glosses={num_glosses}"):
        build_lexicon(num_glosses)


def test_ordered_signs_come_in_pairs_that_show_the_same_places_in_the_opposite_order():
    lexicon = build_lexicon(MAX_ORDERED, "ordered")
    assert len({sign.gloss for sign in lexicon}) == MAX_ORDERED == 180
    phase = np.linspace(0, 1, 50)
    for there, back in zip(lexicon[::2], lexicon[1::2], strict=True):
        assert (there.handshape, there.place, there.num_hands) == (back.handshape, back.place, back.num_hands)
        assert there.movement.path(phase)[::-1] == pytest.approx(back.movement.path(phase))
        assert np.abs(there.movement.path(phase) - back.movement.path(phase)).max() > 0.2


def test_an_unknown_lexicon_is_refused():
    with pytest.raises(ConfigError, match="lexicon=asl is none of varied, ordered"):
        build_lexicon(10, "asl")


@pytest.mark.parametrize("movement", MOVEMENTS, ids=lambda movement: movement.name)
def test_movements_are_smooth_and_stay_within_half_a_shoulder_width(movement):
    phase = np.linspace(0, 1, 200)
    path, turn = movement.path(phase), movement.turn(phase)
    assert path.shape == (200, 2)
    assert turn.shape == (200,)
    assert np.abs(path).max() < 0.5
    assert np.abs(np.diff(path, axis=0)).max() < 0.02  # no jump between neighbouring instants
    assert np.abs(np.diff(turn)).max() < 0.05


def test_ease_is_at_rest_at_both_ends():
    step = 1e-4
    assert ease(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])) == pytest.approx([0, 0, 0.5, 1, 1])
    ends = np.array([0.0, 1.0])
    assert (ease(ends + step) - ease(ends - step)) / (2 * step) == pytest.approx([0, 0], abs=1e-6)
