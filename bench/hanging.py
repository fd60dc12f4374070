"""The provider that says nothing for 35 s while 100 uncached searches a second come in, each on a connection of its
own, whatever became of those before it.

0 to `BEFORE`: all is well. Then silence for `SILENCE`. Then `AFTER`: it answers again.
"""
import asyncio
import gc
import re
import time

import backend
import load

RATE = 100
BEFORE, SILENCE, AFTER = 10, 35, 40  # seconds
SLOW_S = 0.4  # half of the provider's deadline: whoever takes so long has waited for the provider
QUIET_S = 2  # without such a wait for so long: the breaker is open for all


def searches(count):
    """All different: nobody can have them in a cache."""
    stays = [(first, nights, guests) for first in range(30, 330) for nights in range(1, 8) for guests in range(1, 5)]
    return [load.search_path(*stays[i * 997 % len(stays)]) for i in range(count)]


async def one(port, path):
    """(status, whether the answer is degraded); raises OSError."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        begin = await reader.read(64)
        while await reader.read(65536):
            pass
        return int(head.split(b" ", 2)[1]), b'"degraded":true' in begin
    finally:
        writer.close()


class Story:
    def __init__(self, stand, service):
        self.stand, self.service = stand, service
        self.calls = []  # (began, took, status, degraded), seconds from the first

    async def play(self):
        loop, paths = asyncio.get_running_loop(), searches(RATE * (BEFORE + SILENCE + AFTER))
        self.begin, running = loop.time(), set()
        events = asyncio.create_task(self.events())
        for number, path in enumerate(paths):
            wait = self.begin + number / RATE - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self.call(path))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running, events)

    async def call(self, path):
        began = time.monotonic()
        try:
            status, degraded = await asyncio.wait_for(one(self.service.port, path), 40)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            status, degraded = 0, False
        self.calls.append((began - self.began, time.monotonic() - began, status, degraded))

    async def events(self):
        self.began = time.monotonic()
        await asyncio.sleep(BEFORE)
        await asyncio.to_thread(self.stand.provider_behaves, silent=True)
        self.silent = time.monotonic() - self.began
        await asyncio.sleep(SILENCE - 20)
        self.says_open = await asyncio.to_thread(self.ask_states)
        await asyncio.sleep(20)
        await asyncio.to_thread(self.stand.provider_behaves, silent=False)
        self.back = time.monotonic() - self.began

    def ask_states(self):
        """How many of 20 answers about the breaker say that it is not closed; one that does not come says nothing."""
        answers = []
        for _ in range(20):
            try:
                answers.append(backend.ask(self.service.url("/monitoring/circuit-breakers")))
            except OSError:
                pass
        return sum("closed" not in re.search(r'"state"\s*:\s*"([^"]+)"', answer)[1].lower() for answer in answers)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def open_for_all(slow, silent):
    """Seconds from the silence until the last wait before the first stretch without any."""
    last = silent
    for began in slow:
        if began > last + QUIET_S:
            break
        last = began
    return last - silent


def run(stand, service):
    story = Story(stand, service)
    gc.disable()
    try:
        asyncio.run(story.play())
    finally:
        gc.enable()
        stand.provider_behaves(silent=False)
    calls = sorted(story.calls)
    slow = [began for began, took, _, _ in calls if began >= story.silent and took >= SLOW_S]
    opened = open_for_all(slow, story.silent)
    during = [took for began, took, _, _ in calls if story.silent + opened < began < story.back]
    degraded = [began for began, _, _, is_degraded in calls if began > story.back and is_degraded]
    return {
        "calls": len(calls), "failed": sum(status != 200 for _, _, status, _ in calls),
        "before_p99_ms": round(percentile([t for b, t, _, _ in calls if b < story.silent - 1], 0.99) * 1000, 2),
        "open_s": round(opened, 2), "waited_until_open": sum(began <= story.silent + opened for began in slow),
        "open_p50_ms": round(percentile(during, 0.5) * 1000, 2),
        "open_p99_ms": round(percentile(during, 0.99) * 1000, 2),
        "open_max_ms": round(max(during, default=0) * 1000, 2),
        "waited_later": sum(took >= SLOW_S for took in during), "calls_later": len(during),
        "says_open": story.says_open, "whole_again_s": round(max(degraded, default=story.back) - story.back, 2),
    }
