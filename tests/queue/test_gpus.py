"""When a GPU counts as free."""

import pytest
from small_queue import fake_gpus, set_gpus

from sign_recog.queue.entries import QueueError
from sign_recog.queue.gpus import FreeGpus, chosen_gpus, memory_used


@pytest.fixture
def smi(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", fake_gpus(tmp_path, {"0": 300, "1": 24000})["PATH"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def test_nvidia_smi_s_mebibytes_are_read_as_gb(smi):
    assert memory_used() == {"0": 300 / 1024, "1": 24000 / 1024}
    assert chosen_gpus(None) == ["0", "1"] and chosen_gpus("1") == ["1"] and chosen_gpus("none") is None


def test_cuda_visible_devices_limits_the_choice_unless_gpus_are_given(smi, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert chosen_gpus(None) == ["1"] and chosen_gpus("0,1") == ["0", "1"]


def test_a_gpu_that_is_not_there_is_refused(smi):
    with pytest.raises(QueueError, match=r"GPU 7 is not there; nvidia-smi shows: 0, 1"):
        chosen_gpus("0,7")


def test_without_nvidia_smi_there_are_no_gpus_and_none_can_be_given(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert chosen_gpus(None) is None
    with pytest.raises(QueueError, match="nvidia-smi shows: none"):
        chosen_gpus("0")


@pytest.mark.parametrize("script", ["#!/bin/sh\necho 'driver mismatch' >&2; exit 9\n", "#!/bin/sh\necho '0, [N/A]'\n"])
def test_an_nvidia_smi_that_does_not_answer_is_an_error_and_not_a_free_gpu(smi, script):
    (smi / "bin/nvidia-smi").write_text(script)
    with pytest.raises(QueueError, match=r"driver mismatch|does not say"):
        memory_used()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def looker(smi, **changes):
    clock = Clock()
    return FreeGpus(["0", "1"], **{"below_gb": 1.0, "looks": 3, "pause_s": 60.0, "clock": clock} | changes), clock


def test_a_gpu_is_free_after_several_looks_in_a_row_with_pauses(smi):
    gpus, clock = looker(smi)
    free = {}
    for second in range(0, 400, 10):
        clock.now = second
        if second == 70:
            set_gpus(smi, {"0": 5000, "1": 24000})  # somebody's next job begins: the looks count anew
        if second == 130:
            set_gpus(smi, {"0": 300, "1": 24000})
        free[second] = gpus.free(set())
    first = min(second for second, found in free.items() if found)
    assert first == 180 + 2 * 60  # looks at 180, 240 and 300; at 0 and 60 it was free, at 120 it was not
    assert all(found in ([], ["0"]) for found in free.values())
    assert "GPU 1: 23.4 GB in use" in gpus.note


def test_a_look_that_is_a_pause_old_is_repeated_before_a_gpu_counts_as_free(smi):
    gpus, clock = looker(smi, looks=1)
    assert gpus.free(set()) == ["0"]
    clock.now = 30
    set_gpus(smi, {"0": 9000, "1": 24000})
    assert gpus.free(set()) == []


def test_after_the_queue_s_own_run_one_look_is_enough(smi):
    gpus, clock = looker(smi)
    gpus.free({"0"})
    clock.now = 10
    gpus.given_back(["0"])
    clock.now = 13
    assert gpus.free(set()) == ["0"]


def test_no_looks_no_questions(smi):
    def ask():
        raise AssertionError

    gpus, _ = looker(smi, looks=0, ask=ask)
    assert gpus.free({"1"}) == ["0"]
