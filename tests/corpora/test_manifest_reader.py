"""Any table, or a folder with one subfolder a gloss -> clips."""

import pytest

from sign_recog.corpora.manifest import read
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.manifest import Clip, read_manifest, write_manifest


def make_table(folder, text, *, name="labels.csv", videos=("a.mp4", "b.mp4"), encoding="utf-8"):
    folder.mkdir(exist_ok=True)
    for video in videos:
        path = folder / video
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    table = folder / name
    table.write_bytes(text.encode(encoding))
    return table


def read_text(tmp_path, text, *, settings=None, **made):
    return read(str(make_table(tmp_path / "corpus", text, **made)), tmp_path / "out", **(settings or {}))


def test_named_columns_become_clips(tmp_path):
    text = "clip_id,video,gloss,signer,split,category,text,start_s,end_s,camera\nx,a.mp4,HELLO,s1,dev,g,hi,1.5,0:03,2\n"
    corpus = read_text(tmp_path, text)
    expected = Clip("x", "a.mp4", 1.5, 3.0, "val", "s1", "HELLO", "g", "hi", {"camera": "2"})
    assert corpus.clips == [expected]
    assert corpus.video_dir == tmp_path / "corpus"
    assert corpus.notes == []


def test_columns_of_other_names_are_mapped_and_the_rest_is_kept(tmp_path):
    text = "Path\tWord\tWho\tgloss\na.mp4\tHELLO\ts1\t7\n"
    columns = {"video": "Path", "gloss": "Word", "signer": "Who"}
    clip = read_text(tmp_path, text, name="t.tsv", settings={"columns": columns}).clips[0]
    assert (clip.clip_id, clip.video, clip.gloss, clip.signer) == ("a", "a.mp4", "HELLO", "s1")
    assert clip.extra == {"source_gloss": "7"}


def test_what_is_read_survives_the_manifest_file(tmp_path):
    corpus = read_text(tmp_path, "video,gloss,split,start_s,note\na.mp4,A,train,0,x\nb.mp4,B,test,2.25,\n")
    write_manifest(tmp_path / "manifest.tsv", corpus.clips)
    assert read_manifest(tmp_path / "manifest.tsv") == corpus.clips


def test_clips_of_one_video_are_named_by_their_start(tmp_path):
    corpus = read_text(tmp_path, "video,gloss,start_s,end_s\na.mp4,A,0,1.5\na.mp4,B,1.5,2\nb.mp4,A,0,1\n")
    assert [clip.clip_id for clip in corpus.clips] == ["a_0", "a_1.5", "b"]


def test_videos_may_lie_elsewhere(tmp_path):
    make_table(tmp_path / "videos", "", videos=["deep/a.mp4"])
    table = make_table(tmp_path / "labels", "video,gloss\ndeep/a.mp4,A\n", videos=[])
    corpus = read(str(table), tmp_path, video_dir=str(tmp_path / "videos"))
    assert (corpus.clips[0].clip_id, corpus.video_dir) == ("deep/a", tmp_path / "videos")


def test_a_table_without_videos_needs_clip_ids(tmp_path):
    corpus = read_text(tmp_path, "clip_id,gloss,text\ns1,WETTER MORGEN,das wetter morgen\n")
    assert corpus.video_dir is None
    with pytest.raises(DataError, match="neither a column 'clip_id' nor 'video'"):
        read_text(tmp_path, "file,gloss\na.mp4,A\n")
    with pytest.raises(DataError, match=r"neither a column 'gloss' nor 'text'.*data.corpus.columns.gloss=video"):
        read_text(tmp_path, "video,label\na.mp4,A\n")


@pytest.mark.parametrize("mark", ["\ufeff", ""])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_mark_windows_lines_and_any_script_are_read(tmp_path, mark, end):
    rows = ["video,gloss", "clip_0089_how are you.mp4,how are you", "안녕.MOV,안녕하세요", '"a, b.mp4","x, y"']
    videos = ["clip_0089_how are you.mp4", "안녕.MOV", "a, b.mp4"]
    corpus = read_text(tmp_path, mark + end.join(rows) + end, videos=videos)
    assert [clip.clip_id for clip in corpus.clips] == ["clip_0089_how are you", "안녕", "a_ b"]
    assert [clip.gloss for clip in corpus.clips] == ["how are you", "안녕하세요", "x, y"]
    assert [clip.video for clip in corpus.clips] == videos


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("video,gloss\n", "no rows"),
        ("video,gloss,split\na.mp4,A,trian\n", "line 2: split 'trian' is none of"),
        ("video,gloss,start_s,end_s\na.mp4,A,2,1\n", "line 2: end_s=1 is not after start_s=2"),
        ("video,gloss,start_s\na.mp4,A,soon\n", "line 2: 'soon' is not a time"),
        ("video,gloss\n../../etc/passwd,A\n", "line 2: '../../etc/passwd' leads out of"),
        ("video,gloss\na.mp4,A\n,B\n", "line 3: no file is named"),
        ("clip_id,video,gloss\nx,a.mp4,A\nx,b.mp4,A\n", 'line 3: clip "x" is already that of line 2'),
        ("video,gloss\na.mp4,A\na.mp4,B\n", 'line 3: clip "a_0" is already that of line 2'),
        ("clip_id,video,gloss\n../x,a.mp4,A\n", "line 2: clip_id '../x' is not a plain name"),
        ("clip_id,video,gloss\n,a.mp4,A\n", "line 2: clip_id '' is not a plain name"),
    ],
)
def test_hostile_tables_are_refused_by_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_text(tmp_path, text)


def test_text_that_is_not_utf8_is_refused(tmp_path):
    with pytest.raises(DataError, match="not UTF-8"):
        read_text(tmp_path, "video,gloss\na.mp4,Grüße\n", encoding="latin-1")


def test_rows_without_a_video_are_left_out_and_named(tmp_path):
    corpus = read_text(tmp_path, "video,gloss\na.mp4,A\n" + "".join(f"gone{i}.mp4,B\n" for i in range(5)))
    assert [clip.video for clip in corpus.clips] == ["a.mp4"]
    assert len(corpus.notes) == 1
    assert "5 of 6 clips are left out" in corpus.notes[0]
    assert "gone0.mp4, gone1.mp4, gone2.mp4, ..." in corpus.notes[0]


def test_no_video_at_all_is_an_error_that_names_the_setting(tmp_path):
    with pytest.raises(DataError, match=r"none of its 1 videos .* Set data.video_dir"):
        read_text(tmp_path, "video,gloss\ngone.mp4,A\n")
    with pytest.raises(DataError, match="no such folder"):
        read_text(tmp_path, "video,gloss\na.mp4,A\n", settings={"video_dir": str(tmp_path / "nowhere")})
    with pytest.raises(DataError, match="no such file"):
        read(str(tmp_path / "nothing.csv"), tmp_path)


def test_wrong_column_names_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"names label\. Known: clip_id"):
        read_text(tmp_path, "video,gloss\na.mp4,A\n", settings={"columns": {"label": "gloss"}})
    with pytest.raises(DataError, match="lacks the column Word"):
        read_text(tmp_path, "video,gloss\na.mp4,A\n", settings={"columns": {"gloss": "Word"}})


def test_a_folder_with_one_subfolder_a_gloss_is_read(tmp_path):
    make_table(tmp_path, "x", name="notes.txt", videos=["hello/1.mp4", "hello/2.MOV", "don't know/1.mp4"])
    make_table(tmp_path, "", name="hello/._1.mp4", videos=[])
    corpus = read(str(tmp_path), tmp_path / "out")
    found = {(clip.clip_id, clip.video, clip.gloss) for clip in corpus.clips}
    assert found == {
        ("hello/1", "hello/1.mp4", "hello"),
        ("hello/2", "hello/2.MOV", "hello"),
        ("don_t know/1", "don't know/1.mp4", "don't know"),
    }
    assert corpus.video_dir == tmp_path
    assert corpus.notes == ["1 files are no videos and not read (notes.txt)."]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        (["a.mp4", "b.mp4"], "2 of its 2 videos are not in a subfolder named by their gloss"),
        (["hello/1.mp4", "b.mp4"], "1 of its 2 videos are not in a subfolder"),
        (["train/hello/1.mp4", "train/bye/1.mp4"], "2 of its 2 videos are not in a subfolder"),
        (["train/1.mp4", "Test/1.mp4"], "subfolders are Test, train; no two are glosses"),
        (["clips/1.mp4", "clips/2.mp4"], "subfolders are clips; no two are glosses"),
        ([], "holds no video"),
    ],
)
def test_a_folder_without_glosses_is_refused_with_both_forms(tmp_path, videos, message):
    make_table(tmp_path, "x", name="readme.txt", videos=videos)
    with pytest.raises(DataError, match=message) as caught:
        read(str(tmp_path), tmp_path)
    assert "columns video and gloss" in str(caught.value)
    assert "<folder>/<gloss>/<clip>.mp4" in str(caught.value)


def test_two_videos_of_one_name_in_a_folder_are_named(tmp_path):
    make_table(tmp_path, "x", name="readme.txt", videos=["hello/1.mp4", "hello/1.mov", "bye/1.mp4"])
    with pytest.raises(DataError, match=r'hello/1.mp4: clip "hello/1" is already that of hello/1.mov'):
        read(str(tmp_path), tmp_path)


def test_settings_without_effect_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="have no effect"):
        read(str(tmp_path), tmp_path, columns={"gloss": "x"})


def test_a_real_table_is_read(test_data, tmp_path):
    folder = test_data / "video_ksl77_koala"
    corpus = read(str(folder / "labels.csv"), tmp_path, columns={"video": "file"})
    assert len(corpus.clips) == 61
    assert len({clip.gloss for clip in corpus.clips}) == 41
    assert all((folder / clip.video).is_file() for clip in corpus.clips)


def test_a_table_exported_by_elan_is_read(tmp_path):
    """Tab-delimited export with a header, times as hh:mm:ss.ms; several annotations of one file."""
    text = (
        "Begin Time - hh:mm:ss.ms\tEnd Time - hh:mm:ss.ms\tGlossL\tParticipant\tFile\r\n"
        "00:00:01.240\t00:00:01.960\tHUIS\tS1\tsession 1.mp4\r\n"
        "00:01:02.500\t00:01:03.020\tBOOM-A\tS1\tsession 1.mp4\r\n"
    )
    columns = {
        "start_s": "Begin Time - hh:mm:ss.ms", "end_s": "End Time - hh:mm:ss.ms", "gloss": "GlossL",
        "signer": "Participant", "video": "File",
    }  # fmt: skip
    corpus = read_text(tmp_path, text, name="elan.txt", videos=["session 1.mp4"], settings={"columns": columns})
    assert [(c.clip_id, c.start_s, c.end_s, c.gloss) for c in corpus.clips] == [
        ("session 1_1.24", 1.24, 1.96, "HUIS"), ("session 1_62.5", 62.5, 63.02, "BOOM-A"),
    ]  # fmt: skip


def test_times_in_milliseconds(tmp_path):
    text = "video,gloss,start_s,end_s\na.mp4,A,1240,0:00:01.96\nb.mp4,B,,500\n"
    corpus = read_text(tmp_path, text, settings={"time_unit": "ms"})
    assert [(c.start_s, c.end_s) for c in corpus.clips] == [(1.24, 1.96), (0, 0.5)]
    with pytest.raises(ConfigError, match="time_unit='frames' is none of s, ms"):
        read_text(tmp_path, text, settings={"time_unit": "frames"})


def test_sentences_need_no_gloss_and_keep_their_quotes_and_glosses(tmp_path):
    path = tmp_path / "sentences.tsv"
    path.write_text('clip_id\tsplit\ttext\tglosses\na\ttrain\t"Hi," he said.\tHI HE SAY\n', encoding="utf-8")
    (clip,) = read(str(path), tmp_path, quotes=False).clips
    assert (clip.text, clip.gloss, clip.extra["glosses"]) == ('"Hi," he said.', "", "HI HE SAY")
    with pytest.raises(DataError, match=r"data\.corpus\.quotes=false"):
        read(str(path), tmp_path)


def test_a_table_with_another_separator_is_told_by_its_one_column(tmp_path):
    with pytest.raises(DataError, match="has one column only, 'clip_id,text'"):
        read_text(tmp_path, "clip_id,text\na,he sleeps\n", name="sentences.tsv")
