"""Scores that need data which no package brings: METEOR (WordNet) and BLEURT (a trained network).

Nothing is fetched. Where the data was not given and is not there, the reason is returned in place of the score; where a
folder was given and does not hold it, that is an error.
"""

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sign_recog.errors import DataError


def meteor(hypotheses: Sequence[str], references: Sequence[str], folder: Path | None) -> tuple[float | None, str]:
    """Mean METEOR of the sentences (Lavie and Agarwal 2007; alpha 0.9, beta 3, gamma 0.5), 0 to 1; English only.

    Args:
        folder: nltk's data folder, with ``corpora/wordnet`` in it; None = where nltk looks by itself.

    Returns:
        The score and its signature, or None and the reason.

    Raises:
        DataError: If ``folder`` holds no WordNet.
    """
    import nltk
    from nltk.tokenize import NLTKWordTokenizer
    from nltk.translate.meteor_score import single_meteor_score

    with _searched(nltk.data.path, folder):
        try:
            wordnet = _read_wordnet(nltk.data.find)
        except (OSError, ValueError, LookupError, AssertionError) as error:
            raise DataError(
                f"{folder or 'corpora/wordnet'}: cannot be read as WordNet ({error}). Unpack nltk's wordnet.zip again, "
                "as files that only you can change; nltk refuses others."
            ) from error
        if wordnet is None:
            if folder is None:
                return None, "nltk finds no corpora/wordnet on this machine; give a folder that holds it"
            raise DataError(f"{folder}: holds no corpora/wordnet. Put nltk's wordnet.zip into {folder / 'corpora'}.")
        words = NLTKWordTokenizer().tokenize
        values = [
            single_meteor_score(words(reference), words(hypothesis), wordnet=wordnet)
            for hypothesis, reference in zip(hypotheses, references, strict=True)
        ]
    signature = f"mean of sentences|case:lc|tok:treebank|stem:porter|alpha:0.9|beta:3|gamma:0.5|nltk:{nltk.__version__}"
    return float(sum(values) / len(values)), signature


@contextmanager
def _searched(path: list[str], folder: Path | None) -> Iterator[None]:
    """Let nltk look in ``folder`` alone: it opens no file outside its search path."""
    before = list(path)
    if folder is not None:
        path[:] = [str(folder.absolute())]
    try:
        yield
    finally:
        path[:] = before


def _read_wordnet(find: Any) -> Any:
    """nltk's reader of the unpacked folder, or of the archive that its downloader leaves; None = not there."""
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    for name in ("corpora/wordnet", "corpora/wordnet.zip/wordnet/"):
        try:
            root = find(name)
        except LookupError:
            continue
        with warnings.catch_warnings():  # it says that other languages than English need more data
            warnings.simplefilter("ignore")
            return WordNetCorpusReader(root, None)
    return None


def bleurt(hypotheses: Sequence[str], references: Sequence[str], folder: Path | None) -> tuple[float | None, str]:
    """Mean BLEURT of the sentences (Sellam et al. 2020, arXiv:2004.04696; Pu et al. 2021, arXiv:2110.06341).

    Args:
        folder: A checkpoint in the transformers layout, converted from the published ones (``config.json``,
            ``model.safetensors`` or ``pytorch_model.bin``, and ``spm.model`` or ``vocab.txt``), such as BLEURT-20.

    Returns:
        The score and its signature, or None and the reason.

    Raises:
        DataError: If ``folder`` is not such a checkpoint.
    """
    if folder is None:
        return None, "no folder of a BLEURT checkpoint was given"
    import torch

    try:
        network, encode = _read_bleurt(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first_line = str(error).partition("\n")[0]
        raise DataError(
            f"{folder}: is no BLEURT checkpoint in the transformers layout ({first_line}). Give a folder with "
            "config.json, model.safetensors or pytorch_model.bin, and spm.model or vocab.txt."
        ) from error
    values: list[float] = []
    pairs = list(zip(references, hypotheses, strict=True))
    with torch.inference_mode():
        for start in range(0, len(pairs), _BATCH):
            rows = [encode(*pair) for pair in pairs[start : start + _BATCH]]
            width = max(len(ids) for ids, _ in rows)
            padded = [(ids + [0] * (width - len(ids)), kinds + [0] * (width - len(kinds))) for ids, kinds in rows]
            logits = network(
                input_ids=torch.tensor([ids for ids, _ in padded]),
                token_type_ids=torch.tensor([kinds for _, kinds in padded]),
                attention_mask=torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in rows]),
            ).logits
            values += logits.flatten().tolist()
    return sum(values) / len(values), f"mean of sentences|checkpoint:{folder.name}"


_BATCH = 16  # sentences


def _read_bleurt(folder: Path) -> tuple[Any, Any]:
    """The network, and a function (reference, hypothesis) -> (token ids, segment of each).

    BLEURT-20 and its distilled forms are RemBERTs, the older checkpoints BERTs; only the names of the weights differ.
    """
    import torch

    from sign_recog.torchvision_operators import declare_missing

    declare_missing()
    import transformers

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    projected = config.get("embedding_size") is not None
    settings: dict[str, Any] = {name: value for name, value in config.items() if name not in _NOT_SETTINGS}
    settings["num_labels"] = 1
    network: Any
    if projected:
        size = config["embedding_size"]
        settings |= {"input_embedding_size": size, "output_embedding_size": size}
        network = transformers.RemBertForSequenceClassification(transformers.RemBertConfig(**settings))
    else:
        network = transformers.BertForSequenceClassification(transformers.BertConfig(**settings))
    if (folder / "model.safetensors").is_file():
        from safetensors.torch import load_file

        weights = load_file(folder / "model.safetensors")
    else:
        weights = torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    own = "rembert." if projected else "bert."
    renamed = {
        name.replace("bleurt.", own, 1).replace("embedding_projection", "embedding_hidden_mapping_in"): tensor
        for name, tensor in weights.items()
        if not name.endswith("position_ids")  # a constant that older versions stored
    }
    network.load_state_dict(renamed)
    return network.eval(), _pair_encoder(folder, int(config.get("max_position_embeddings", 512)))


_NOT_SETTINGS = (
    "model_type", "architectures", "transformers_version", "torch_dtype", "dtype", "num_labels", "id2label", "label2id",
    "tie_word_embeddings", "embedding_size",
)  # fmt: skip


def _pair_encoder(folder: Path, longest: int) -> Any:
    """[CLS] reference [SEP] hypothesis [SEP]; tokens are dropped from the end of the longer one until they fit."""
    if (folder / "spm.model").is_file():
        from sentencepiece import SentencePieceProcessor

        pieces = SentencePieceProcessor(model_file=str(folder / "spm.model"))
        begin, end = pieces.piece_to_id("[CLS]"), pieces.piece_to_id("[SEP]")
        if pieces.unk_id() in (begin, end):
            raise ValueError("spm.model lacks [CLS] or [SEP]")
        to_ids = pieces.encode
    else:
        from transformers import BertTokenizer

        words = BertTokenizer.from_pretrained(str(folder), local_files_only=True)
        begin, end = words.cls_token_id, words.sep_token_id

        def to_ids(text: str) -> list[int]:
            return words.encode(text, add_special_tokens=False)

    def encode(reference: str, hypothesis: str) -> tuple[list[int], list[int]]:
        first, second = to_ids(reference), to_ids(hypothesis)
        while len(first) + len(second) + 3 > longest:
            (first if len(first) > len(second) else second).pop()
        return [begin, *first, end, *second, end], [0] * (len(first) + 2) + [1] * (len(second) + 1)

    return encode
