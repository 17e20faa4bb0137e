"""run=prepare trains the tokenizer that is chosen, on the training text alone, and other stages find it."""

import json

import pytest
from conftest import load_config

from sign_recog import stages
from sign_recog.config.identity import settings_id
from sign_recog.errors import ConfigError, DataError
from sign_recog.stages.run_folder import corpus_dir, plain, prepared
from sign_recog.stages.tokenizer import open_trained

WORDS = ["red", "green", "blue", "small", "large"]


@pytest.fixture
def prepare(tmp_path):
    """A function that prepares a table of sentences without glosses and videos; returns the configuration."""
    rows = ["clip_id\tsplit\ttext"]
    for i in range(25):
        rows.append(f't{i}\ttrain\tAnna saw "the" {WORDS[i % 5]} and {WORDS[i // 5]} house.')
    rows += ["v0\tval\tOnly validation says zebra.", "e0\ttest\tOnly test says quagga."]
    source = tmp_path / "sentences.tsv"
    source.write_text("\n".join(rows) + "\n", encoding="utf-8")

    def run(*overrides: str):
        config = load_config(
            "run=prepare", "data=manifest", "data.name=own", f"data.source={source}", "data.corpus.quotes=false",
            f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}", *overrides,
        )  # fmt: skip
        stages.run(config)
        return config

    run.source = source
    return run


def test_a_table_with_text_and_no_glosses_is_prepared(prepare):
    corpus = prepared(prepare())
    assert corpus.info["glosses"] == 0 and corpus.video_dir is None
    assert corpus.clips[0].text == 'Anna saw "the" red and red house.'
    assert {split: row["clips"] for split, row in corpus.info["splits"].items()} == {"train": 25, "val": 1, "test": 1}
    assert not (corpus.folder / "tokenizers").exists()


@pytest.mark.parametrize("tokenizer", ["sentencepiece", "words"])
def test_a_tokenizer_is_trained_on_train_alone_and_found_again(prepare, tokenizer):
    config = prepare(f"tokenizer={tokenizer}")
    trained = open_trained(config, prepared(config))
    text = prepared(config).clips[0].text
    assert trained.decode(trained.encode([text])) == [text]
    for unseen in ("zebra", "quagga"):
        assert trained.unk_id in trained.encode([unseen])[0]
    (place,) = (corpus_dir(config) / "tokenizers").iterdir()
    info = json.loads((place / "tokenizer.json").read_text(encoding="utf-8"))
    assert info["sentences"] == 25 and info["vocab_size"] == trained.vocab_size
    assert info["settings"]["_target_"].startswith("sign_recog.text.")


def test_preparing_again_keeps_it_and_other_settings_or_text_get_their_own(prepare):
    config = prepare("tokenizer=words")
    (path,) = (corpus_dir(config) / "tokenizers").glob("*/tokenizer.pt")
    before = path.stat().st_mtime_ns
    prepare("tokenizer=words")
    assert path.stat().st_mtime_ns == before
    prepare("tokenizer=words", "tokenizer.min_count=2")
    prepare.source.write_text(prepare.source.read_text(encoding="utf-8").replace("t0\ttrain\tAnna", "t0\ttrain\tOtto"))
    changed = prepare("tokenizer=words")
    assert len(list((corpus_dir(changed) / "tokenizers").iterdir())) == 3
    assert "Otto" in open_trained(changed, prepared(changed)).words


def test_who_waited_for_another_process_trains_its_own_tokenizer(prepare, monkeypatch):
    """The other prepared the corpus with other settings of the tokenizer, which are no part of the corpus."""
    from contextlib import nullcontext

    from sign_recog.stages import prepare as stage

    prepare("tokenizer=words")
    monkeypatch.setattr(stage, "locked_in_turn", lambda folder, what: nullcontext(True))
    config = prepare("tokenizer=sentencepiece")
    assert open_trained(config, prepared(config)).vocab_size > 10
    (corpus,) = (corpus_dir(config).parent).iterdir()
    assert len(list((corpus / "tokenizers").iterdir())) == 2


def test_a_tokenizer_that_is_not_there_is_said_before_files_are_read(prepare, tmp_path):
    """Reading a corpus's features may take hours."""
    with pytest.raises(DataError, match=r"tokenizer.folder=.*nowhere: no such folder"):
        prepare("tokenizer=pretrained", f"tokenizer.folder={tmp_path / 'nowhere'}")
    assert not list((tmp_path / "data").rglob("corpus.json"))


def test_a_corpus_without_text_has_no_tokenizer(tiny):
    config = tiny("run=prepare", "tokenizer=words")
    with pytest.raises(DataError, match=r"no train clip of tiny has a text"):
        open_trained(config, prepared(config))
    with pytest.raises(ConfigError, match="Translation needs a tokenizer"):
        open_trained(tiny(), prepared(config))


def test_what_was_not_prepared_says_so(prepare):
    prepare()
    config = load_config(*_overrides(prepare), "tokenizer=sentencepiece")
    with pytest.raises(DataError, match="Run run=prepare with the same settings"):
        open_trained(config, prepared(config))


def test_the_tokenizer_is_part_of_a_runs_settings_only_where_there_is_one():
    without, words, other = (
        plain(load_config("run=prepare", *one))
        for one in ([], ["tokenizer=words"], ["tokenizer=words", "tokenizer.min_count=2"])
    )
    assert len({settings_id(config) for config in (without, words, other)}) == 3
    del without["tokenizer"]  # as configurations were before there were tokenizers
    assert settings_id(without) == settings_id(plain(load_config()))


def test_ids_that_are_kept_are_written_and_hashed(prepare):
    import hashlib

    corpus = prepared(prepare())
    for split, digest in corpus.info["kept_ids"].items():
        content = (corpus.folder / f"kept_{split}.txt").read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert sorted(content.decode().split()) == sorted(c.clip_id for c in corpus.of_split(split))


def test_settings_that_do_not_exist_are_refused():
    with pytest.raises(ConfigError, match=r"tokenizer\.sise=9(.|\n)*tokenizer\.size"):
        load_config("tokenizer=sentencepiece", "+tokenizer.sise=9")


def _overrides(prepare) -> list[str]:
    folder = prepare.source.parent
    return [
        "run=prepare", "data=manifest", "data.name=own", f"data.source={prepare.source}", "data.corpus.quotes=false",
        f"paths.data_root={folder / 'data'}", f"paths.output_root={folder / 'outputs'}",
    ]  # fmt: skip


def test_a_corpus_of_glosses_and_text_is_prepared_and_read(tmp_path):
    """From PHOENIX14T's own files to the ids that a network reads and writes."""
    from sign_recog.data.glosses import GlossReader
    from sign_recog.stages.build import build_reader

    rows = {"train": ["REGEN NORD|im norden regen", "SONNE|die sonne scheint"], "dev": ["SONNE NORD|im norden sonne"]}
    for split, pairs in rows.items():
        lines = ["name|video|start|end|speaker|orth|translation"]
        lines += [f"{split}{i}|v|-1|-1|S{i}|{pair}" for i, pair in enumerate([*pairs, "WIND|"])]
        (tmp_path / f"PHOENIX-2014-T.{split}.corpus.csv").write_text("\n".join(lines) + "\n")
    config = load_config(
        "run=prepare", "data=phoenix14t", f"data.source={tmp_path}", "tokenizer=words", "modality=gloss",
        "model=transformer_seq2seq", f"paths.data_root={tmp_path / 'data'}",
        f"paths.output_root={tmp_path / 'outputs'}",
    )  # fmt: skip
    stages.run(config)
    corpus = prepared(config)
    left_out = (corpus.folder / "left_out.tsv").read_text(encoding="utf-8").splitlines()
    assert left_out[1:] == ["dev/dev1\tval\tempty text\t", "train/train2\ttrain\tempty text\t"]
    reader = build_reader(config.modality)
    assert isinstance(reader, GlossReader)
    sequences = reader.open(corpus, corpus.of_split("val"), "none")
    assert reader.vocabulary.decode([sequences.read(0, None)]) == ["SONNE NORD"]
    assert open_trained(config, corpus).encode(["im norden sonne"])[0].count(3) == 0
