"""One run: a host, its clients, the operator's chores, samples of all of it; then the host is stopped
and its directory examined."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ..helpers.host_process import COMMAND, REPOSITORY
from . import limits
from .chores import Chores, schedule
from .load import API_KEY, CONNECTED, OVER
from .parents import end_with_parent
from .plan import Lines, Places, Plan, write_plan
from .sampling import Sampler
from .served_host import ServedHost

Say = Callable[[str], object]


def run(places: Places, plan: Plan, say: Say) -> None:
    """All of it; what is found is in the files, for the judge. ValueError: the system does not allow as
    many file descriptors as the plan needs."""
    allow_descriptors(plan.sockets + limits.SOCKETS_BESIDE_PLAN)
    write_plan(places, plan)
    events = Lines(places.events)
    samples = Lines(places.host)
    try:
        with ServedHost(places, plan) as host, Loads(places, plan, host.port) as loads:
            events.write({"at": time.time(), "started": {"pid": host.pid, "port": host.port}})
            sampler = Sampler(host.pid, host.port, places.state, API_KEY)
            Run(plan, host, loads, sampler, samples, say).until_over(Chores(places, plan, events))
            events.write({"at": time.time(), "loads": loads.statuses()})
            status = host.status if host.status is not None else host.stop()
            events.write({"at": time.time(), "stopped": {"status": status}})
        events.write({"at": time.time(), "doctor": examine(places)})
    finally:
        events.close()
        samples.close()


def allow_descriptors(number: int) -> None:
    """For this process, and those that it starts. ValueError: the system has fewer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < number:
        raise ValueError(
            f"{number} file descriptors are needed, and {hard} allowed: fewer --sockets"
        )

    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))


def examine(places: Places) -> dict[str, Any]:
    """What `roomhost doctor` says of the directory, once its host has ended."""
    command = [str(COMMAND), "doctor", "--json", "--data-dir", str(places.state.absolute())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        findings = json.loads(done.stdout)["findings"]
    except (ValueError, KeyError):
        findings = [{"level": "error", "what": done.stderr or done.stdout, "cure": ""}]
    return {"status": done.returncode, "findings": findings}


class Loads:
    """The processes of clients; a context that ends them."""

    def __init__(self, places: Places, plan: Plan, port: int) -> None:
        self._places = places
        self._plan = plan
        self._port = port
        self._processes: list[subprocess.Popen[str]] = []
        self._said: list[set[str]] = []

    def __enter__(self) -> Loads:
        for number in range(self._plan.loads):
            self._start(number)
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def have_said(self, what: str) -> bool:
        """Whether all of them have."""
        return all(what in said for said in self._said)

    def have_ended(self) -> bool:
        """Whether any has, before it was over."""
        return any(process.poll() is not None for process in self._processes)

    def statuses(self) -> list[int | None]:
        """With what they ended, -9 of one that had to be killed."""
        for process in self._processes:
            try:
                process.wait(limits.STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return [process.poll() for process in self._processes]

    def _start(self, number: int) -> None:
        command = [sys.executable, "-m", "tests.soak.load", str(self._places.out.absolute())]
        with self._places.load_log(number).open("ab") as log:
            process = subprocess.Popen(
                [*command, str(number), str(self._port)],
                cwd=REPOSITORY,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=end_with_parent,
            )
        said: set[str] = set()
        self._processes.append(process)
        self._said.append(said)
        threading.Thread(target=listen, args=(process, said), daemon=True).start()


def listen(process: subprocess.Popen[str], said: set[str]) -> None:
    """Note each line that a process says."""
    assert process.stdout is not None
    for line in process.stdout:
        said.add(line.strip())


class Run:
    """Samples and chores, until the clients are done."""

    def __init__(
        self,
        plan: Plan,
        host: ServedHost,
        loads: Loads,
        sampler: Sampler,
        samples: Lines,
        say: Say,
    ) -> None:
        self._plan = plan
        self._host = host
        self._loads = loads
        self._sampler = sampler
        self._samples = samples
        self._say = say

    def until_over(self, chores: Chores) -> None:
        """Returns when the clients have checked everything, or have taken far too long, or the host or
        a process of clients has ended."""
        todo = schedule(self._plan)
        began: float | None = None
        doing: Future[None] | None = None
        last = time.monotonic() + self._plan.seconds + limits.DRAIN_MINUTES * 60
        with ThreadPoolExecutor(1) as operator:
            while not self._is_over() and time.monotonic() < last:
                if began is None and self._loads.have_said(CONNECTED):
                    began = time.monotonic()
                    self._say(f"{self._plan.sockets} sockets are open; the traffic begins")
                free = doing is None or doing.done()
                if began and todo and free and time.monotonic() - began >= todo[0].at_seconds:
                    doing = operator.submit(chores.do, todo.pop(0))
                self._sample(began)
                self._wait()

    def _is_over(self) -> bool:
        if self._host.status is not None or self._loads.have_said(OVER):
            return True

        return self._loads.have_ended()

    def _sample(self, began: float | None) -> None:
        sample = self._sampler.sample(census=self._plan.census and self._is_minute(began))
        passed = None if began is None else time.monotonic() - began
        self._samples.write({"at": time.time(), "passed": passed, **sample})

    def _is_minute(self, began: float | None) -> bool:
        """Whether a census is due: about each minute."""
        if began is None:
            return False

        return (time.monotonic() - began) % 60 < self._plan.sample_seconds

    def _wait(self) -> None:
        """For the next sample, or until it is over."""
        end = time.monotonic() + self._plan.sample_seconds
        while time.monotonic() < end and not self._is_over():
            time.sleep(min(0.1, self._plan.sample_seconds))
