"""No worker outlives its test, nor what it runs."""

import pytest
import small_queue


@pytest.fixture(autouse=True)
def no_worker_outlives_its_test():
    yield
    while small_queue.WORKERS:
        worker = small_queue.WORKERS.pop()
        if worker.poll() is None:
            worker.terminate()  # as `queue stop --now`
            worker.communicate(timeout=60)
