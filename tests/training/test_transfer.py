"""Weights from another training: loaded where they fit, row by row in the head, and all said."""

import dataclasses

import pytest
import torch
from small_training import GLOSSES, SmallNetwork

from sign_recog.errors import CheckpointError
from sign_recog.storage.checkpoint import Checkpoint
from sign_recog.training.transfer import Outcome, load_weights, print_outcomes

HEAD = "heads.gloss.1"


def source(network: torch.nn.Module, glosses=GLOSSES, categories=(), languages=()) -> Checkpoint:
    torch.manual_seed(1)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    nothing = dict.fromkeys(f.name for f in dataclasses.fields(Checkpoint))
    given = {"path": "other.ckpt", "weights": network.state_dict(), "config": {"model": {"_target_": "a.B"}}}
    return Checkpoint(
        **nothing | given | {"glosses": list(glosses), "categories": list(categories), "languages": list(languages)}
    )


def load(network, given, glosses, *, extend_head=False, categories=(), languages=()) -> dict[str, Outcome]:
    labels = {"glosses": glosses, "categories": categories, "languages": languages}
    found = load_weights(network, given, **labels, extend_head=extend_head)
    return {o.name: o for o in found}


def test_the_same_classes_keep_their_rows_in_whatever_order():
    given, network = source(SmallNetwork()), SmallNetwork()
    outcomes = load(network, given, ["you", "hello", "thanks"])
    assert {o.outcome for o in outcomes.values()} == {"loaded"}
    for row, name in enumerate(["you", "hello", "thanks"]):
        there = GLOSSES.index(name)
        assert torch.equal(network.state_dict()[f"{HEAD}.weight"][row], given.weights[f"{HEAD}.weight"][there])
        assert torch.equal(network.state_dict()[f"{HEAD}.bias"][row], given.weights[f"{HEAD}.bias"][there])
    rest = [name for name in given.weights if not name.startswith(HEAD)]
    assert all(torch.equal(network.state_dict()[name], given.weights[name]) for name in rest)


def test_other_classes_mean_a_fresh_head_even_if_the_shape_fits():
    given, network = source(SmallNetwork()), SmallNetwork()
    before = network.state_dict()[f"{HEAD}.weight"].clone()
    outcomes = load(network, given, ["hello", "thanks", "good"])
    assert outcomes[f"{HEAD}.weight"].outcome == "dropped" and "extend_head" in outcomes[f"{HEAD}.weight"].reason
    assert torch.equal(network.state_dict()[f"{HEAD}.weight"], before)


def test_s2_head_extension_keeps_old_rows():
    given, network = source(SmallNetwork()), SmallNetwork(num_glosses=5)
    fresh = network.state_dict()[f"{HEAD}.weight"].clone()
    outcomes = load(network, given, ["again", "hello", "thanks", "tree", "you"], extend_head=True)
    head = network.state_dict()[f"{HEAD}.weight"]
    assert torch.equal(head[[1, 2, 4]], given.weights[f"{HEAD}.weight"])
    assert torch.equal(head[[0, 3]], fresh[[0, 3]])
    assert outcomes[f"{HEAD}.weight"].reason == "3 classes keep their weights, 2 are new, 0 are gone"
    x, mask = torch.randn(6, 1, 4), torch.zeros(6, 1, dtype=torch.bool)
    old = SmallNetwork()
    old.load_state_dict(given.weights)
    old.eval(), network.eval()
    expected = old(x, mask)["gloss_logits"]
    assert torch.allclose(network(x, mask)["gloss_logits"][:, [1, 2, 4]], expected, atol=1e-6)  # same logits


def test_a_language_keeps_its_own_vector_and_not_that_of_the_row():
    """Loaded by shape alone, another corpus's second language took the vector of the first's second."""
    given = source(SmallNetwork(num_languages=2), languages=["ngt", "vgt"])
    network = SmallNetwork(num_languages=2)
    fresh = network.heads.language_embedding.weight.detach().clone()
    name = "heads.language_embedding.weight"
    outcomes = load(network, given, GLOSSES, languages=["asl", "ngt"])
    found = network.heads.language_embedding.weight
    assert outcomes[name].outcome == "extended"
    assert torch.equal(found[0], fresh[0]) and torch.equal(found[1], given.weights[name][0])
    load(network, given, GLOSSES, languages=["vgt", "ngt"])
    assert torch.equal(found, given.weights[name][[1, 0]])


def test_categories_are_extended_by_their_own_names():
    given = source(SmallNetwork(num_categories=2), categories=["verbs", "nouns"])
    network = SmallNetwork(num_categories=3)
    load(network, given, GLOSSES, categories=["nouns", "numbers", "verbs"], extend_head=True)
    found = network.state_dict()["heads.category.1.weight"]
    assert torch.equal(found[[2, 0]], given.weights["heads.category.1.weight"])


def test_s0_missing_and_dropped_weights_are_listed(capsys):
    class Longer(SmallNetwork):
        def __init__(self) -> None:
            super().__init__(num_glosses=4)
            self.extra = torch.nn.Linear(2, 2)
            self.layers.append(torch.nn.Linear(1, 1))

    there = SmallNetwork()
    there.old = torch.nn.Linear(3, 3)
    there.layers.append(torch.nn.Linear(2, 1))
    network = Longer()
    outcomes = load(network, source(there), ["one", "two", "three", "four"])
    kinds = {name: o.outcome for name, o in outcomes.items()}
    assert kinds["extra.weight"] == kinds["extra.bias"] == "missing"
    assert kinds["old.weight"] == kinds["layers.2.weight"] == kinds[f"{HEAD}.bias"] == "dropped"
    assert kinds["layers.2.bias"] == kinds["projection.weight"] == "loaded"
    print_outcomes(list(outcomes.values()), "other.ckpt")
    text = capsys.readouterr().out
    for name in ("extra.weight", "extra.bias", "old.weight", "old.bias", "layers.2.weight", f"{HEAD}.weight"):
        assert name in text
    assert "not in the checkpoint" in text and "projection" in text and "2 weights" in text


def test_a_checkpoint_of_which_nothing_fits_is_refused():
    class Other(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = torch.nn.Linear(2, 2)

    network = Other()
    with pytest.raises(CheckpointError, match=r"not one weight fits this Other; it was trained as a\.B"):
        load(network, source(SmallNetwork()), GLOSSES)
