#!/usr/bin/env python3
"""Measures how the application feels while it works: in a terminal of its own it opens the embedded demo,
measures the network and fine-tunes a plan on all cores, while keys are pressed at irregular times.

    tests/peer/latency.py [--hawqeye target/release/hawqeye] [--json FILE]

Printed are the times from a key to the screen that it asks for, while measuring and while fine-tuning;
the times of frames from the log of the application, from waking up to the last byte; and the share of a
core that it uses when nothing runs and nobody types. Exit code 1 when one of them is above its limit:
keys 50 ms, 99 of 100 frames 16 ms, and nothing at all when idle."""
import argparse
import codecs
import fcntl
import json
import os
import pty
import random
import re
import select
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COLUMNS, ROWS = 120, 40
KEY_LIMIT, FRAME_LIMIT = 0.050, 0.016
PATIENCE = 300
# Keys, what must be on the screen afterwards, and whether it must be there or gone.
KEYS = [("?", "search:", True), ("\x1b", "search:", False)]
JOBS = ["loading", "testing", "analysis", "allocation", "frontier", "evaluating", "fine-tuning"]
SEQUENCE = re.compile(r"\x1b(?:\[([0-9;?]*)([A-Za-z])|[^\[])")


class Screen:
    """What the application has drawn: text by row and column, without colours."""

    def __init__(self):
        self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0
        self.rest = ""
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data):
        text = self.rest + self.decoder.decode(data)
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self.put(text[at])
                at += 1
                continue
            found = SEQUENCE.match(text, at)
            if not found:
                break
            self.obey(found.group(1) or "", found.group(2))
            at = found.end()
        self.rest = text[at:]

    def obey(self, numbers, letter):
        values = [int(number or 1) for number in numbers.split(";")] if "?" not in numbers else []
        if letter == "H":
            row, column = (values + [1, 1])[:2]
            self.row, self.column = row - 1, column - 1
        elif letter == "J":
            self.cells = [[" "] * COLUMNS for _ in range(ROWS)]

    def put(self, letter):
        if letter in "\r\n":
            self.column = 0
            self.row += letter == "\n"
        elif self.row < ROWS and self.column < COLUMNS:
            self.cells[self.row][self.column] = letter
            self.column += 1

    def header(self):
        return "".join(self.cells[0])

    def text(self):
        return "\n".join("".join(row).rstrip() for row in self.cells)


class Session:
    """The application in a terminal."""

    def __init__(self, program, home):
        self.screen = Screen()
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.environ.update(HAWQEYE_HOME=home, TERM="xterm-256color", LC_ALL="C.UTF-8",
                              HAWQEYE_LOG="info,hawqeye::app::shell=debug")
            size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            os.execv(program, [program])

    def pump(self, seconds):
        """Reads what is drawn in this time; returns at the first bytes."""
        if select.select([self.terminal], [], [], max(seconds, 0))[0]:
            self.screen.feed(os.read(self.terminal, 1 << 16))

    def pause(self, seconds):
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.pump(left)

    def press(self, keys):
        os.write(self.terminal, keys.encode())

    def until(self, what, holds):
        """Seconds until something holds."""
        start = time.perf_counter()
        while not holds():
            if time.perf_counter() - start > PATIENCE:
                sys.exit(f"waited for {what}; the screen is\n{self.screen.text()}")
            self.pump(1)
        return time.perf_counter() - start

    def wait(self, text, there=True):
        """Seconds until a text is on the screen, or gone."""
        return self.until(repr(text), lambda: (text in self.screen.text()) == there)

    def starts(self, job):
        """Waits until a job runs: the header names it on its right."""
        self.until(f"{job} to start", lambda: job in self.screen.header())

    def settle(self):
        """Waits until no job runs."""
        self.until("the work to end",
                   lambda: not any(job in self.screen.header() for job in JOBS))

    def leave(self):
        self.press("q")
        try:
            while True:
                self.pump(1)
        except OSError:
            os.waitpid(self.child, 0)

    def cpu(self):
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.child}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def keys_while(session, job, seconds, chance):
    """Times of keys until the time is over or the job is done."""
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end and job in session.screen.header():
        for key, text, there in KEYS:
            session.pause(chance.uniform(0.02, 0.2))
            session.press(key)
            times.append(session.wait(text, there))
    return times


def share(times, percent):
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def tell(name, times, limit, percent):
    worst = share(times, percent)
    print(f"{name}: {len(times)} times, median {1e3 * statistics.median(times):.1f} ms, "
          f"{percent} of 100 within {1e3 * worst:.1f} ms, longest {1e3 * max(times):.1f} ms "
          f"(limit {1e3 * limit:.0f} ms)")
    return worst < limit


def frames(home):
    log = next(Path(home).glob("**/hawqeye.log")).read_text()
    return [int(found) / 1e6 for found in re.findall(r"frame of (\d+) us", log)]


def drive(session, asked):
    """Measures, allocates and fine-tunes, typing all the while; times of keys by job, and idle time."""
    chance = random.Random(0)
    session.wait("% right")
    session.settle()
    session.press("a")
    session.starts("analysis")
    measuring = keys_while(session, "analysis", asked.seconds, chance)
    session.settle()
    session.press("3")
    session.wait("Enter chooses bits")
    session.press("a")
    session.wait("compression")
    session.press("\r")
    session.wait("enter goes on to fine-tuning")
    session.settle()
    session.press("4")
    session.wait("Enter trains")
    session.press("\r")
    session.starts("fine-tuning")
    tuning = keys_while(session, "fine-tuning", asked.seconds, chance)
    session.settle()
    session.pause(12)  # the last notice goes away
    before = session.cpu()
    session.pause(asked.idle)
    return measuring, tuning, session.cpu() - before


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hawqeye", default=str(ROOT / "target/release/hawqeye"))
    parser.add_argument("--seconds", type=float, default=15, help="of typing, in each work")
    parser.add_argument("--idle", type=float, default=10, help="seconds of doing nothing")
    parser.add_argument("--json", type=Path, help="file for all times")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        session = Session(asked.hawqeye, home)
        measuring, tuning, idle = drive(session, asked)
        session.leave()
        drawn = frames(home)
    right = [tell("key to screen while measuring", measuring, KEY_LIMIT, 100),
             tell("key to screen while fine-tuning", tuning, KEY_LIMIT, 100),
             tell("frame", drawn, FRAME_LIMIT, 99)]
    print(f"idle: {idle:.2f} s of processor time in {asked.idle:.0f} s")
    if asked.json:
        asked.json.write_text(json.dumps({
            "keys_measuring_s": measuring, "keys_tuning_s": tuning, "frames_s": drawn,
            "idle_cpu_s": idle, "idle_wall_s": asked.idle}, indent=1))
    sys.exit(not all(right) or idle > 0)


if __name__ == "__main__":
    main()
