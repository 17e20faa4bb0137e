import logging
import subprocess
import sys
import threading

import pytest

from sign_recog.errors import DataError
from sign_recog.storage.lock import locked, locked_in_turn

HOLD = """
import sys, time
from pathlib import Path
from sign_recog.storage.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_folder_belongs_to_one_process_until_it_ends_even_by_a_kill(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(DataError, match=rf"process {owner.pid} on \S+ is at work in this folder"), locked(tmp_path):
            pass
        owner.kill()
    with locked(tmp_path):
        pass
    with locked(tmp_path):  # and after a clean end
        pass


def test_who_waits_says_once_for_whom_and_goes_on_when_the_other_is_gone(tmp_path, caplog):
    with locked_in_turn(tmp_path, "preparing") as waited:
        assert waited is False
    with (
        subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner,
        caplog.at_level(logging.INFO),
    ):
        assert owner.stdout.readline() == "held\n"
        timer = threading.Timer(1.2, owner.kill)
        timer.start()
        with locked_in_turn(tmp_path, "preparing") as waited:
            assert waited is True
        timer.join()
    said = [message for message in caplog.messages if "waiting for it" in message]
    assert len(said) == 1 and f"process {owner.pid} on " in said[0] and "is preparing here" in said[0]
