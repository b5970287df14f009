import os
import subprocess
import sys
import threading

from homeostat.app.priority import give_way


def test_a_thread_and_what_it_starts_give_way_and_nobody_else():
    before = os.getpriority(os.PRIO_PROCESS, 0)
    found = []

    def work():
        for niceness in (before + 5, before + 1):  # the second is a raise, which is not done
            give_way(niceness)
            found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        asked = [sys.executable, "-c", "import os; print(os.nice(0))"]
        found.append(int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    most = min(19, before + 5)
    assert found == [most, most, most]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
