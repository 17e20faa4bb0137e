from dataclasses import replace

from made_predictions import make

from sign_recog.evaluation.classification import score, score_groups
from sign_recog.evaluation.model_card import ModelCard, build_model_card, escaped

HOSTILE = "a|b</td><script>alert(1)</script> [x](http://x) **b**"


def card(**changes) -> ModelCard:
    answers = make(num_clips=30, categories=True)
    answers.groups = {"signer": answers.signers}
    metrics = {"split": "test", "scores": score(answers), "groups": score_groups(answers)}
    values = {
        "config": {"name": "wlasl", "seed": 3, "modality": {"_target_": "sign_recog.data.keypoints.KeypointReader"}},
        "network": "SignTransformer",
        "num_parameters": 12345,
        "glosses": ["book", "drink"],
        "categories": [],
        "languages": [],
        "extraction": {"extractor": "mediapipe_holistic"},
        "corpus": {
            "name": "wlasl",
            "settings": {"split": {"strategy": "given"}},
            "splits": {
                "train": {"clips": 9, "signers": 4, "glosses": 2},
                "test": {"clips": 3, "signers": 0, "glosses": 2},
            },
            "leakage": [],
        },
        "metrics": metrics,
        "provenance": {"git_commit": "abc123", "versions": {"torch": "2.11"}, "gpu": None, "earlier": [{"seed": 3}]},
        "checkpoint": "best.ckpt",
        "epoch": 7,
        "onnx_difference": 3e-7,
        "sample": "clip1",
    }
    return ModelCard(**values | changes)


def test_the_card_holds_data_scores_limits_and_provenance():
    own = card()
    text = build_model_card(own)
    scores = own.metrics["scores"]
    low, high = scores["top1_per_instance_ci95"]
    assert f"{100 * scores['top1_per_instance']:.1f} %" in text and f"{scores['macro_f1']:.3f}" in text
    assert f"95 % interval {100 * low:.1f} % to {100 * high:.1f} %" in text
    assert "| train | 9 | 4 | 2 |" in text and "| test | 3 | unknown | 2 |" in text
    assert "| signer0 | 10 |" in text
    assert "SignTransformer over keypoints, 12,345 parameters" in text
    assert "learned from 4 signers" in text and "nothing is rejected" in text and "book, drink" in text
    assert "| git commit | abc123 |" in text and "torch 2.11" in text and "gpu" not in text
    assert "| resumed | 1 times |" in text
    assert "best.ckpt, epoch 7" in text and "at most 3e-07" in text


def test_the_card_says_what_is_not_known():
    text = build_model_card(card(corpus=None, metrics=None, provenance=None))
    assert "was not evaluated on test" in text and "The corpus was not at hand" in text


def test_random_features_are_said_to_be_for_tests():
    text = build_model_card(card(extraction={"weights": "random, not pretrained: features mean nothing"}))
    assert "random weights. It is for tests alone" in text
    assert "random weights" not in build_model_card(card())


def test_languages_are_named():
    text = build_model_card(card(languages=["NGT", "VGT"]))
    assert "must come with its language; it knows NGT, VGT alone" in text


def test_no_name_becomes_markup():
    text = build_model_card(card(glosses=[HOSTILE], categories=[HOSTILE], languages=[HOSTILE], sample=HOSTILE))
    assert "<script>" not in text and "</td>" not in text and "[x](" not in text and "**b**" not in text
    assert text.count(escaped(HOSTILE)) == 5
    assert "a|b" not in text


def test_a_line_break_in_a_name_stays_in_its_cell():
    assert escaped("two\nlines | x") == "two lines \\| x"


def test_a_card_is_made_for_networks_without_categories_and_with():
    assert "category_logits" not in build_model_card(card())
    assert "category_logits" in build_model_card(replace(card(), categories=["food"]))
