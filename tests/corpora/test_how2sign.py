"""How2Sign: re-aligned times, sentences as they stand, and every clip that cannot be used listed with its reason."""

import pytest
from made_videos import pictures, write_made

from sign_recog.corpora import how2sign
from sign_recog.errors import ConfigError, DataError

HEAD = "VIDEO_ID\tVIDEO_NAME\tSENTENCE_ID\tSENTENCE_NAME\t"
WHOLE = "-aB3-5-rgb_front"  # 2 s in these tests


def sentence(number: int, start, end, text: str, whole: str = WHOLE) -> str:
    return f"-aB3\t{whole}\t-aB3_{number}\t-aB3_{number}-5-rgb_front\t{start}\t{end}\t{text}"


def write_table(folder, rows, *, split="train", realigned=True):
    folder.mkdir(exist_ok=True)
    suffix = "_REALIGNED" if realigned else ""
    name = f"how2sign_{'realigned_' if realigned else ''}{split}.csv"
    lines = [f"{HEAD}START{suffix}\tEND{suffix}\tSENTENCE", *rows]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw_videos")
    (folder / "train").mkdir()
    write_made(folder / "train" / f"{WHOLE}.mp4", pictures(50))
    (folder / "damaged.mp4").write_bytes(b"no video")
    return folder


def read(folder, video_dir=None, times="realigned", cut=False, out_dir=None):
    return how2sign.read(str(folder), out_dir or folder, video_dir=video_dir and str(video_dir), times=times, cut=cut)


def test_spans_are_the_realigned_ones_and_text_is_kept_as_it_is(tmp_path, videos):
    rows = [sentence(0, 0.5, 1.25, '"Hi," he said, it\'s 5" wide.'), sentence(1, 1.25, 1.9, '"unclosed')]
    corpus = read(write_table(tmp_path, rows), videos)
    first, second = corpus.clips
    assert (first.start_s, first.end_s, second.text) == (0.5, 1.25, '"unclosed')
    assert first.text == '"Hi," he said, it\'s 5" wide.'
    assert (first.clip_id, first.extra["video_name"]) == ("x-aB3_0-5-rgb_front", "-aB3_0-5-rgb_front")
    assert (first.video, first.signer, first.split) == (f"train/{WHOLE}.mp4", "signer05", "train")
    assert corpus.video_dir == videos


def test_what_lies_beyond_the_video_is_clamped_or_left_out_and_listed(tmp_path, videos):
    rows = [
        sentence(0, 0, 1, "whole"),
        sentence(1, 1.5, 2.03, "a frame too long"),
        sentence(2, 1.5, 9, "clamped"),
        sentence(3, 2.5, 3, "behind"),
        sentence(4, 1, 1, "empty span"),
        sentence(5, 1.5, 1, "negative"),
        sentence(6, -1, 1, "before"),
        sentence(7, 0, 1, "  "),
        sentence(8, 0, 1, "no video", whole="other"),
        sentence(9, 0, 1, "unreadable", whole="damaged"),
    ]
    corpus = read(write_table(tmp_path, rows), videos)
    ends = {c.text: (c.end_s, "range_note" in c.extra) for c in corpus.clips}
    assert ends == {"whole": (1.0, False), "a frame too long": (None, False), "clamped": (None, True)}
    assert "annotated to 9 s, ends with the video at 2.00 s" in corpus.clips[2].extra["range_note"]
    reasons = {one.clip.clip_id[6:7]: one.reason for one in corpus.left_out}
    assert reasons == {
        "3": "starts past the end", "4": "bad times", "5": "bad times", "6": "bad times", "7": "empty text",
        "8": "missing video", "9": "unreadable video",
    }  # fmt: skip
    assert len(corpus.clips) + len(corpus.left_out) == len(rows)
    assert any("1 sentences end behind their video" in note for note in corpus.notes)


def test_s3_times_that_were_not_realigned_are_not_taken_by_mistake(tmp_path, videos):
    """With the times of the speech S3's scores collapse, and nothing said which a table held."""
    folder = write_table(tmp_path, [sentence(0, 0, 1, "hello")], realigned=False)
    with pytest.raises(DataError, match="How2Sign with realigned times"):
        read(folder, videos)
    table = folder / "how2sign_train.csv"
    with pytest.raises(DataError, match=r"lacks the column START_REALIGNED(.|\n)*times=original \(scores collapse"):
        read(table, videos)
    assert [clip.end_s for clip in read(table, videos, times="original", out_dir=tmp_path).clips] == [1.0]


def test_a_table_of_names_and_sentences_needs_no_video(tmp_path):
    text = 'name\ttext\n-a_0-1-rgb_front.mp4\t"Hi!"\n_b_2-11-rgb_front.mp4\tThat\'s it.\n'
    (tmp_path / "how2sign.dev.tsv").write_text(text)
    corpus = read(tmp_path)
    assert [(c.clip_id, c.split, c.text, c.signer) for c in corpus.clips] == [
        ("x-a_0-1-rgb_front", "val", '"Hi!"', "signer01"),
        ("x_b_2-11-rgb_front", "val", "That's it.", "signer11"),
    ]
    assert corpus.video_dir is None
    with pytest.raises(ConfigError, match="names no whole videos"):
        read(tmp_path, tmp_path)


def test_cut_videos_are_read_whole(tmp_path, videos):
    folder = write_table(tmp_path / "text", [sentence(0, 10, 12, "hello")])
    cut = tmp_path / "cut"
    cut.mkdir()
    write_made(cut / "-aB3_0-5-rgb_front.mp4", pictures(3))
    (clip,) = read(folder, cut, cut=True).clips
    assert (clip.video, clip.start_s, clip.end_s) == ("-aB3_0-5-rgb_front.mp4", 0.0, None)
    with pytest.raises(ConfigError, match="cut=true has no effect"):
        read(folder, cut=True)
    with pytest.raises(DataError, match=r"none of its 1 videos(.|\n)*<VIDEO_NAME>"):
        read(folder, cut)


def test_bad_rows_are_all_named(tmp_path):
    rows = [sentence(0, "soon", 1, "a"), sentence(1, 0, 1, "a\tb"), sentence(2, 0, "", "c"), sentence(3, 0, 1, "d")]
    with pytest.raises(DataError, match=r"line 3: 8 fields, the header has 7: ...'b'"):
        read(write_table(tmp_path, rows))
    with pytest.raises(DataError, match=r"2 bad rows(.|\n)*line 2: 'soon'(.|\n)*line 3: ''"):
        read(write_table(tmp_path, [rows[0], rows[2], rows[3]]))
    with pytest.raises(ConfigError, match="times=spoken"):
        read(tmp_path, times="spoken")


def test_a_second_reading_opens_no_video(tmp_path, videos, monkeypatch):
    folder = write_table(tmp_path, [sentence(0, 0, 9, "hello")])
    before = read(folder, videos, out_dir=tmp_path)
    monkeypatch.setattr(how2sign, "probe", lambda path: pytest.fail("opened again"))
    assert read(folder, videos, out_dir=tmp_path).clips == before.clips


def test_the_real_sentences_are_read_whole(test_data):
    corpus = read(test_data / "text_how2sign")
    splits = [clip.split for clip in corpus.clips]
    assert (splits.count("train"), splits.count("test"), len(splits)) == (31086, 2349, 33435)
    lines = (test_data / "text_how2sign" / "how2sign.test.tsv").read_text(encoding="utf-8").splitlines()[1:]
    expected = [" ".join(line.split("\t")[1].split()) for line in lines]
    assert [clip.text for clip in corpus.clips if clip.split == "test"] == expected
    assert len({clip.signer for clip in corpus.clips}) == 9
