"""Workers as people start them, kill them and start them again; entries run a line of shell."""

import json
import os
import signal
import time

import pytest
from small_queue import ask, fake_gpus, plan, set_gpus, start, states, until

from sign_recog.queue import processes
from sign_recog.queue.entries import CURRENT, DONE, FAILED, STOPPED, TO_RUN, Entry
from sign_recog.queue.store import Store
from sign_recog.queue.worker import outcome, recover, working

GO = "while [ ! -e go ]; do sleep 0.02; done"  # runs until the test lets it
RUN_S = 60


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "queue")


def lines(folder, name="order"):
    return (folder / name).read_text().split() if (folder / name).exists() else []


def finish(worker, code=0):
    out, _ = worker.communicate(timeout=RUN_S)
    assert worker.returncode == code, out
    return out


def test_entries_run_one_after_another_in_their_order_and_a_failure_keeps_its_error(tmp_path, store):
    for name in "abc":
        line = f"echo {name} >> order; echo said {name}; test {name} != b || {{ echo boom >&2; exit 3; }}"
        store.add([plan(line, tmp_path, name=name)])
    store.move([3], 1)
    finish(start(tmp_path, "--until-empty"), code=1)
    assert lines(tmp_path) == ["c", "a", "b"]
    assert states(store) == {"a": DONE, "b": FAILED, "c": DONE}
    error = store.entry(2).error
    assert error.startswith("It ended with code 3.") and "boom" in error and "said b" in error
    assert "It ended with code 3" in ask(tmp_path, "list", "--state", "failed")
    assert "said a" in ask(tmp_path, "logs", "1")


def test_the_error_is_what_the_run_wrote_into_its_folder(tmp_path, store):
    one = plan("true", tmp_path)
    one.run_dir.mkdir()
    status = json.dumps({"state": "failed", "error": "no clips. Add some."})
    store.add([plan(f"echo '{status}' > '{one.run_dir}/status.json'; exit 1", tmp_path, name="true")])
    finish(start(tmp_path, "--until-empty"), code=1)
    assert store.entry(1).error.startswith("no clips. Add some.\nThe end of its log:")


def test_stop_on_failure_leaves_the_rest_waiting_until_it_is_started_again(tmp_path, store):
    store.add([plan("exit 1", tmp_path), plan("true", tmp_path)])
    out = finish(start(tmp_path, "--until-empty", "--stop-on-failure"), code=1)
    assert "--stop-on-failure" in out and "--stop-on-failure" in ask(tmp_path, "list")
    assert states(store) == {"exit 1": FAILED, "true": TO_RUN}
    finish(start(tmp_path, "--until-empty"))
    assert states(store) == {"exit 1": FAILED, "true": DONE}


def test_stop_lets_the_current_run_end_and_begins_no_other(tmp_path, store):
    store.add([plan(GO, tmp_path), plan("true", tmp_path)])
    worker = start(tmp_path)
    until(lambda: store.entries(CURRENT))
    assert "stops after what runs: entry 1" in ask(tmp_path, "stop")
    assert worker.poll() is None
    (tmp_path / "go").touch()
    finish(worker)
    assert states(store) == {GO: DONE, "true": TO_RUN}


@pytest.mark.parametrize("how", ["stop --now", "SIGTERM to the worker"])
def test_stopped_now_a_run_gets_sigterm_and_goes_on_first_at_the_next_start(tmp_path, store, how):
    line = "trap 'echo saved >> order; exit 1' TERM; echo began >> order; while [ ! -e go ]; do sleep 0.02; done"
    store.add([plan(line, tmp_path, name="long"), plan("echo other >> order", tmp_path, name="other")])
    worker = start(tmp_path)
    until(lambda: lines(tmp_path) == ["began"])
    if how == "stop --now":
        ask(tmp_path, "stop", "--now")
    else:
        worker.send_signal(signal.SIGTERM)
    finish(worker)
    assert [entry.key for entry in store.entries(TO_RUN)] == ["long", "other"]
    (tmp_path / "go").touch()
    finish(start(tmp_path, "--until-empty"))
    assert lines(tmp_path) == ["began", "saved", "began", "other"]
    assert store.entry(1).starts == 2 and states(store) == {"long": DONE, "other": DONE}


def test_a_single_run_is_stopped_and_the_queue_goes_on(tmp_path, store):
    store.add([plan("sleep 60", tmp_path), plan("true", tmp_path)])
    worker = start(tmp_path, "--until-empty")
    until(lambda: store.entries(CURRENT) and store.entry(1).process)
    ask(tmp_path, "stop", "1")
    finish(worker)
    assert states(store) == {"sleep 60": STOPPED, "true": DONE}
    assert "Again to run: 1" in ask(tmp_path, "retry")


def test_what_a_run_leaves_behind_is_ended_with_it(tmp_path, store):
    store.add([plan("sleep 60 & echo $! > pid", tmp_path)])
    finish(start(tmp_path, "--until-empty"))
    until(lambda: processes.identity(int((tmp_path / "pid").read_text())) is None, seconds=5)


def test_a_killed_worker_s_run_goes_on_and_the_next_worker_looks_after_it(tmp_path, store):
    one = plan("true", tmp_path)
    one.run_dir.mkdir()
    line = f"{GO}; echo once >> order; echo '{json.dumps({'state': 'finished'})}' > '{one.run_dir}/status.json'"
    store.add([plan(line, tmp_path, name="true"), plan("echo second >> order", tmp_path, name="second")])
    worker = start(tmp_path)
    until(lambda: store.entries(CURRENT) and store.entry(1).process)
    process = store.entry(1).process
    worker.kill()
    worker.wait()
    assert processes.is_alive(process) and not working(store)
    worker = start(tmp_path, "--until-empty")
    until(lambda: working(store))
    time.sleep(0.6)
    assert states(store) == {"true": CURRENT, "second": TO_RUN}  # nothing begins beside it
    (tmp_path / "go").touch()
    finish(worker)
    assert lines(tmp_path) == ["once", "second"] and store.entry(1).starts == 1


def test_after_a_power_cut_what_ran_begins_again_before_the_others(tmp_path, store):
    line = f"echo began >> order; {GO}; echo ended >> order"
    store.add([plan(line, tmp_path, name="long"), plan("echo other >> order", tmp_path, name="other")])
    worker = start(tmp_path)
    until(lambda: lines(tmp_path) == ["began"] and store.entry(1).process)
    worker.kill()
    worker.wait()
    os.killpg(processes.pid_of(store.entry(1).process), signal.SIGKILL)
    (tmp_path / "go").touch()
    finish(start(tmp_path, "--until-empty"))
    assert lines(tmp_path) == ["began", "began", "ended", "other"]


def test_after_a_restart_of_the_machine_the_number_of_a_process_means_nothing(tmp_path, store):
    store.add([plan("true", tmp_path)])
    store.take(None)
    pid, started, _ = processes.identity(os.getpid()).split()
    store.set_process(1, f"{pid} {started} the-start-before")  # a process of this number runs: this one
    assert [entry.id for entry in recover(store)] == [1]
    assert states(store) == {"true": TO_RUN}


def test_recovering_believes_what_a_run_said_before_the_cut(tmp_path, store):
    for name, said in {"a": "finished", "b": "failed", "c": "running", "d": "stopped"}.items():
        store.add([plan("true", tmp_path, name=name)])
        entry = store.take(None)
        entry.run_dir.mkdir()
        (entry.run_dir / "status.json").write_text(json.dumps({"state": said, "error": f"error of {name}"}))
    assert "head of the queue: 3, 4" in ask(tmp_path, "recover")
    assert states(store) == {"a": DONE, "b": FAILED, "c": TO_RUN, "d": TO_RUN}
    assert store.entry(2).error == "error of b"


def test_the_status_of_an_earlier_start_does_not_count(tmp_path, store):
    entry = Entry(**vars(plan("true", tmp_path)), started=time.time() + 60)
    entry.run_dir.mkdir()
    (entry.run_dir / "status.json").write_text('{"state": "finished"}')
    assert outcome(store, entry, None) == (TO_RUN, "")


def test_a_second_worker_is_refused(tmp_path, store):
    worker = start(tmp_path)
    until(lambda: working(store))
    assert f"process {worker.pid}) is at the queue" in ask(tmp_path, "start", "--foreground", code=1)
    ask(tmp_path, "stop")
    finish(worker)


def test_started_in_the_background_it_outlives_its_starter_and_does_what_is_added_later(tmp_path, store):
    assert "Worker: process" in ask(tmp_path, "start", "--gpus", "none")
    try:
        assert "is at the queue" in ask(tmp_path, "start", code=1)
        store.add([plan("true", tmp_path)])
        until(lambda: states(store) == {"true": DONE})
    finally:
        ask(tmp_path, "stop", "--now")
    assert not working(store)


def test_s2_several_gpus_take_a_run_each_which_sees_its_own_alone(tmp_path, store):
    env = fake_gpus(tmp_path, {"0": 0, "1": 0})
    line = "echo $CUDA_VISIBLE_DEVICES $CUDA_DEVICE_ORDER > seen{0}; " + GO
    store.add([plan(line.format(i), tmp_path, name=str(i)) for i in range(3)])
    worker = start(tmp_path, "--until-empty", "--looks", "1", "--pause", "0.1", env=env)
    until(lambda: (tmp_path / "seen0").exists() and (tmp_path / "seen1").exists())
    time.sleep(0.5)
    assert states(store) == {"0": CURRENT, "1": CURRENT, "2": TO_RUN}
    (tmp_path / "go").touch()
    finish(worker)
    assert [lines(tmp_path, f"seen{i}") for i in (0, 1)] == [["0", "PCI_BUS_ID"], ["1", "PCI_BUS_ID"]]


def test_a_run_over_two_gpus_waits_for_both_and_one_over_more_than_there_are_fails(tmp_path, store):
    env = fake_gpus(tmp_path, {"0": 0, "1": 0})
    line = "echo $CUDA_VISIBLE_DEVICES >> order"
    store.add([plan(f"{GO}; {line}", tmp_path, name="one"), plan(line, tmp_path, name="two", devices=2)])
    store.add([plan(line, tmp_path, name="three", devices=3)])
    worker = start(tmp_path, "--until-empty", "--looks", "0", env=env)
    until(lambda: states(store)["one"] == CURRENT)
    time.sleep(0.5)
    assert states(store)["two"] == TO_RUN
    (tmp_path / "go").touch()
    finish(worker, code=1)
    assert lines(tmp_path) == ["0", "0,1"] and states(store)["three"] == FAILED
    assert "needs 3 GPUs" in store.entry(3).error


def test_a_gpu_that_others_use_is_waited_for(tmp_path, store):
    env = fake_gpus(tmp_path, {"0": 9000})
    store.add([plan("true", tmp_path)])
    worker = start(tmp_path, "--until-empty", "--looks", "3", "--pause", "0.2", "--free-below", "2", env=env)
    until(lambda: "8.8 GB in use" in ask(tmp_path, "list", env=env))
    assert states(store) == {"true": TO_RUN}
    set_gpus(tmp_path, {"0": 1900})
    finish(worker)
    assert states(store) == {"true": DONE}


def test_a_program_or_folder_that_is_gone_is_a_failure_and_the_queue_goes_on(tmp_path, store):
    store.add([plan("true", tmp_path / "gone"), plan("true", tmp_path, name="after")])
    finish(start(tmp_path, "--until-empty"), code=1)
    assert states(store) == {"true": FAILED, "after": DONE}
    assert "could not be started" in store.entry(1).error


def test_attach_follows_the_current_run_to_its_end_and_ctrl_c_leaves_it_running(tmp_path, store):
    import subprocess

    from small_queue import command, environment

    store.add([plan(f"echo first; {GO}; echo last; exit 1", tmp_path, name="run")])
    worker = start(tmp_path, "--until-empty")
    log = store.log(1)
    until(lambda: log.exists() and "first\n" in log.read_text())

    def attach():
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        attached = subprocess.Popen(command(tmp_path, "attach"), text=True, env=environment(), **pipe)
        assert "start 1" in attached.stdout.readline()
        return attached

    attached = attach()
    attached.send_signal(signal.SIGINT)
    out, _ = attached.communicate(timeout=20)
    assert attached.returncode == 0 and "runs on" in out and store.entry(1).state == CURRENT
    attached = attach()
    (tmp_path / "go").touch()
    out, _ = attached.communicate(timeout=20)
    assert attached.returncode == 1 and "last" in out and "Entry 1 is failed" in out
    finish(worker, code=1)
