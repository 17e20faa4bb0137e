import json
import zipfile

import pytest
import torch

from sign_recog.errors import DataError
from sign_recog.evaluation.translation.learnt import bleurt, meteor
from sign_recog.torchvision_operators import declare_missing

LICENSE = "  1 no words of a database\n"


def write_wordnet(folder):
    """A WordNet of one synset: car and auto are the same."""
    folder.mkdir(parents=True)
    names = ["adj", "adv", "noun", "verb"]
    texts = {f"{kind}.exc": "" for kind in names}
    texts |= {"cntlist.rev": "", "index.sense": "", "lexnames": "0\tnoun.artifact\t1\n"}
    texts |= {f"data.{kind}": LICENSE for kind in names} | {f"index.{kind}": LICENSE for kind in names}
    offset = len(LICENSE)
    texts["data.noun"] += f"{offset:08d} 00 n 02 car 0 auto 0 000 | it drives\n"
    texts["index.noun"] += "".join(f"{lemma} n 1 0 1 0 {offset:08d}\n" for lemma in ("auto", "car"))
    for name, text in texts.items():
        (folder / name).write_text(text)


def test_meteor_takes_synonyms_from_the_wordnet_that_is_given(tmp_path):
    write_wordnet(tmp_path / "corpora" / "wordnet")
    score, signature = meteor(["the auto stops"], ["the car stops"], tmp_path)
    assert score == pytest.approx(1 - 0.5 * (1 / 3) ** 3)  # all 3 words match, in one run: only the penalty is left
    assert meteor(["the bike stops"], ["the car stops"], tmp_path)[0] < 0.7
    assert "alpha:0.9" in signature
    assert meteor(["", "the car stops"], ["the car stops"] * 2, tmp_path)[0] == pytest.approx(score / 2)


def test_wordnet_may_be_the_archive_that_nltk_downloads(tmp_path):
    write_wordnet(tmp_path / "made" / "wordnet")
    (tmp_path / "corpora").mkdir()
    with zipfile.ZipFile(tmp_path / "corpora" / "wordnet.zip", "w") as archive:
        archive.writestr("wordnet/", "")
        for path in (tmp_path / "made" / "wordnet").iterdir():
            archive.write(path, f"wordnet/{path.name}")
    assert meteor(["the auto stops"], ["the car stops"], tmp_path)[0] > 0.9


def test_without_data_the_reason_is_given_and_a_wrong_folder_is_an_error(tmp_path, monkeypatch):
    import nltk

    monkeypatch.setattr(nltk.data, "path", [])
    score, reason = meteor(["a"], ["a"], None)
    assert (score, "wordnet" in reason) == (None, True)
    with pytest.raises(DataError, match="holds no corpora/wordnet"):
        meteor(["a"], ["a"], tmp_path)
    write_wordnet(tmp_path / "corpora" / "wordnet")
    (tmp_path / "corpora" / "wordnet" / "lexnames").unlink()
    with pytest.raises(DataError, match="cannot be read as WordNet"):
        meteor(["a"], ["a"], tmp_path)


def write_bleurt(folder, *, projected: bool):
    """A small BLEURT with random weights, in the layout of the converted checkpoints; returns the same network."""
    declare_missing()
    import transformers
    from sentencepiece import SentencePieceTrainer

    folder.mkdir()
    sentences = ["the cat sat on the mat", "we are going to tie a knot now", "a dog ran over the hill"] * 3
    special = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "user_defined_symbols": ["[CLS]", "[SEP]"]}
    SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_prefix=str(folder / "spm"), vocab_size=40, minloglevel=2,
        hard_vocab_limit=False, **special,
    )  # fmt: skip
    sizes = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
             "intermediate_size": 24, "max_position_embeddings": 48}  # fmt: skip
    ids = {"bos_token_id": None, "eos_token_id": None}
    torch.manual_seed(0)
    if projected:
        config = transformers.RemBertConfig(
            **sizes, **ids, input_embedding_size=8, output_embedding_size=8, num_labels=1
        )
        network = transformers.RemBertForSequenceClassification(config)
    else:
        network = transformers.BertForSequenceClassification(transformers.BertConfig(**sizes, num_labels=1))
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    stored = {
        name.replace("rembert." if projected else "bert.", "bleurt.").replace(
            "embedding_hidden_mapping_in", "embedding_projection"
        ): tensor
        for name, tensor in network.state_dict().items()
    }
    torch.save({**stored, "bleurt.embeddings.position_ids": torch.arange(48)[None]}, folder / "pytorch_model.bin")
    config = {**sizes, **ids, "model_type": "bleurt", "embedding_size": 8 if projected else None}
    (folder / "config.json").write_text(json.dumps(config))
    return network.eval()


@pytest.mark.parametrize("projected", [True, False])
def test_bleurt_is_the_network_on_reference_and_hypothesis(tmp_path, projected):
    from sentencepiece import SentencePieceProcessor

    network = write_bleurt(tmp_path / "tiny", projected=projected)
    pieces = SentencePieceProcessor(model_file=str(tmp_path / "tiny" / "spm.model"))
    references = ["the cat sat on the mat", "a knot"] * 10
    hypotheses = ["a dog sat", ""] * 10  # 20 sentences: more than a batch, of other lengths
    expected = []
    for reference, hypothesis in zip(references[:2], hypotheses[:2], strict=True):
        first = [pieces.piece_to_id("[CLS]"), *pieces.encode(reference), pieces.piece_to_id("[SEP]")]
        second = [*pieces.encode(hypothesis), pieces.piece_to_id("[SEP]")]
        kinds = torch.tensor([[0] * len(first) + [1] * len(second)])
        with torch.inference_mode():
            expected.append(network(input_ids=torch.tensor([first + second]), token_type_ids=kinds).logits.item())
    assert abs(expected[0] - expected[1]) > 1e-3
    score, signature = bleurt(hypotheses, references, tmp_path / "tiny")
    assert score == pytest.approx(sum(expected) / 2, abs=1e-5)
    assert signature == "mean of sentences|checkpoint:tiny"
    long = " ".join(["mat"] * 200)
    assert bleurt([long], [long], tmp_path / "tiny")[0] is not None


def test_a_folder_that_is_no_bleurt_is_refused(tmp_path):
    with pytest.raises(DataError, match="no BLEURT checkpoint"):
        bleurt(["a"], ["a"], tmp_path)
    write_bleurt(tmp_path / "tiny", projected=True)
    config = json.loads((tmp_path / "tiny" / "config.json").read_text())
    (tmp_path / "tiny" / "config.json").write_text(json.dumps({**config, "hidden_size": 32}))
    with pytest.raises(DataError, match="no BLEURT checkpoint"):
        bleurt(["a"], ["a"], tmp_path / "tiny")
    assert bleurt(["a"], ["a"], None) == (None, "no folder of a BLEURT checkpoint was given")
