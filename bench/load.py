"""The load: wrk, in a closed loop, over searches that are in the cache, and over bookings of rooms that are free."""
import datetime
import json
import os
import random
import resource
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import backend
import measure

THREADS = 2  # load/requests.lua knows it too
STAYS = [(first, nights, guests) for first in range(25) for nights in range(1, 5) for guests in range(1, 6)]
BOOKINGS_MAX = 200_000


def day(offset, since=backend.BUSINESS_DATE):
    return (datetime.date.fromisoformat(since) + datetime.timedelta(days=offset)).isoformat()


def search_path(first, nights, guests):
    return f"/api/hotels/search?checkIn={day(first)}&checkOut={day(first + nights)}&guests={guests}"


def write_searches(file):
    paths = [search_path(*stay) for stay in STAYS]
    random.Random(1).shuffle(paths)
    file.write_text("\n".join(paths) + "\n")
    return len(paths)


def fill_cache(service):
    """Asks every search once, so that none of those measured is the first."""
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(lambda stay: backend.ask(service.url(search_path(*stay))), STAYS))


def write_bookings(stand, file):
    """One night each, in rooms that are free: after the last booking of the data set."""
    rooms = stand.sql(backend.TEMPLATE, "select id from rooms order by md5(id)").split("\n")
    begin = stand.sql(backend.TEMPLATE, "select max(check_out) from bookings")
    lines = []
    for offset in range(BOOKINGS_MAX // len(rooms) + 1):
        night, morning = day(offset, begin), day(offset + 1, begin)
        lines += [json.dumps({"roomId": room, "checkIn": night, "checkOut": morning, "guests": 1}) for room in rooms]
    file.write_text("\n".join(lines[:BOOKINGS_MAX]) + "\n")


def memory_of(pid):
    """MiB of all its processes: what each has in memory (shared pages count for each), and its fair share of it."""
    rss = pss = 0
    for member in measure.tree(pid):
        try:
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith(("Rss:", "Pss:")):
                    kib = int(line.split()[1])
                    rss, pss = (rss + kib, pss) if line.startswith("Rss") else (rss, pss + kib)
        except OSError:
            pass
    return {"rss_mib": rss / 1024, "pss_mib": pss / 1024}


def wrk(url, connections, seconds, script, *arguments):
    return ["wrk", f"-t{THREADS}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script, url, "--",
            *arguments]


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(stand, service_pid, command):
    """What wrk says, and what it cost: CPU of everybody, memory of the service at its largest."""
    noise, before = measure.Noise(), stand.cpu() | {"service_cpu_s": measure.tree_cpu(service_pid)}
    load_before, peak = children_cpu(), {"rss_mib": 0.0, "pss_mib": 0.0}
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        now = memory_of(service_pid)
        peak = {key: max(peak[key], now[key]) for key in peak}
        time.sleep(0.5)
    said, complaints = process.communicate()
    if process.returncode != 0:
        raise measure.Failed(f"wrk: exit code {process.returncode}\n{complaints}")
    after = stand.cpu() | {"service_cpu_s": measure.tree_cpu(service_pid)}
    cost = {key: round(after[key] - before[key], 2) for key in before} | {
        "load_cpu_s": round(children_cpu() - load_before, 2)}
    result = json.loads(said.strip().split("\n")[-1]) | cost
    result |= noise.stop(sum(cost.values())) | {key: round(value, 1) for key, value in peak.items()}
    result["rate"] = round(result["requests"] / result["seconds"], 1)
    result["cpu_s_per_1000"] = round(cost["service_cpu_s"] / result["requests"] * 1000, 5)
    return result
