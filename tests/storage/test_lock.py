import subprocess
import sys

import pytest

from sign_recog.errors import DataError
from sign_recog.storage.lock import locked

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
