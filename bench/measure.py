"""What a command costs: wall clock, CPU of its processes and of the server, peak memory, and how busy others were.

CPU:    user and system time of the command and everything it waited for (rusage), and of the server's processes
        (/proc, with the children they have reaped). What the rest of the machine used meanwhile is `other_cpu_s`.
Memory: the processes' proportional set sizes (a page shared by two counts half in each), summed over the tree ten
        times a second; the largest sum, and never less than the kernel's own peak of the largest single process.
"""
import os
import resource
import subprocess
import threading
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.1
DISTURBED = 0.10  # of all cores' time, used by others


class Failed(Exception):
    """The command ended with another code than 0."""


def tree(root):
    """The process and its descendants that live now."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                waiting += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
        except OSError:
            pass  # it ended while we looked
    return found


def tree_cpu(root):
    """Seconds of the tree, those of children included that have ended and were waited for."""
    ticks = 0
    for pid in tree(root) if root else []:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
        except OSError:
            pass
    return ticks / TICKS


def tree_memory(root):
    """MiB."""
    kib = 0
    for pid in tree(root):
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kib += int(line.split()[1])
        except OSError:
            pass
    return kib / 1024


def machine_cpu():
    """Seconds that all cores together were busy, and that the hypervisor took away, since the machine started."""
    f = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (f[0] + f[1] + f[2] + f[5] + f[6]) / TICKS, f[7] / TICKS


def stored_mib(directory):
    files = (Path(folder) / name for folder, _, names in os.walk(directory) for name in names)
    return sum(file.lstat().st_size for file in files) / 2**20


class Noise:
    """How much of the machine others use between start and stop."""

    def __init__(self):
        self.since, self.busy = time.monotonic(), machine_cpu()

    def stop(self, own_cpu):
        busy, stolen = (now - then for now, then in zip(machine_cpu(), self.busy))
        seconds = (time.monotonic() - self.since) * os.cpu_count()
        other = max(0.0, busy - own_cpu)
        return {"other_cpu_s": round(other, 2), "steal_s": round(stolen, 2),
                "disturbed": other + stolen > DISTURBED * seconds}


def wait_until_quiet(seconds):
    """At most so long, for one second in which others leave 85 % of the cores idle. Returns whether it came."""
    for _ in range(int(seconds)):
        before = machine_cpu()[0]
        time.sleep(1)
        if machine_cpu()[0] - before <= 0.15 * os.cpu_count():
            return True
    return False


def own_peak(usage):
    """MiB of the largest process; 0 when that may be no more than what it had from us before it became the tool."""
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage.ru_maxrss / 1024 if usage.ru_maxrss > ours else 0.0


def run(command, log, environment, server_pid=None):
    """Runs to the end; returns {wall_s, tool_cpu_s, server_cpu_s, peak_mib}. Failed: with the log's last lines."""
    server_before = tree_cpu(server_pid)
    peak, ended = [0.0], threading.Event()
    with open(log, "ab") as out:
        start = out.tell()
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment)

    def sample():
        while True:
            peak[0] = max(peak[0], tree_memory(process.pid))
            if ended.wait(SAMPLE_SECONDS):
                return

    sampler = threading.Thread(target=sample)
    sampler.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    ended.set()
    sampler.join()
    if process.returncode != 0:
        with open(log, errors="replace") as text:
            text.seek(start)
            last = "".join(text.readlines()[-15:])
        raise Failed(f"{' '.join(map(str, command))}: exit code {process.returncode}\n{last}")
    return {"wall_s": round(wall, 3),
            "tool_cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
            "server_cpu_s": round(tree_cpu(server_pid) - server_before, 3),
            "peak_mib": round(max(peak[0], own_peak(usage)), 1)}
