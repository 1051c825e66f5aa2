"""The real daemon, a relay and simulated wallets: those of `portico demo`."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from portico_client import Approved, Portico, PorticoError

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = os.environ.get("PORTICO", str(ROOT / "target/debug/portico"))


class Demo:
    """A running `portico demo`."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program
        steps = self._steps_to("up")
        daemon = steps["daemon"]
        self.relay: str = steps["relay"]["url"]
        self.socket: str = daemon["socket"]
        self.url = f"http://{daemon['listen']}"
        self.public_key: str = daemon["public_key"]
        self.token = Path(steps["up"]["token_file"]).read_text(encoding="ascii").strip()
        self.client = Portico(socket=self.socket)

    def scan(self, url: str, how: str = "") -> None:
        """A simulated user scans the URL. `how` goes before it: `no`, `ignore`, `as bob`."""
        assert self._program.stdin is not None
        self._program.stdin.write(f"{how} {url}\n".lstrip())
        self._program.stdin.flush()
        error = self._steps_to("pasted")["pasted"].get("error")
        assert error is None, error

    def approved(self, how: str = "", client: Portico | None = None) -> Approved:
        """A login that a simulated user has approved."""
        login = (client or self.client).login()
        self.scan(login.url, how)
        result = login.result()
        assert isinstance(result, Approved), result
        return result

    def _steps_to(self, last: str) -> dict[str, Any]:
        assert self._program.stdout is not None
        steps = {}
        for line in self._program.stdout:
            step = json.loads(line)
            steps[step["step"]] = step
            if step["step"] == last:
                return steps
        raise AssertionError(f"the demo ended before {last}")


@contextmanager
def demo(folder: Path) -> Iterator[Demo]:
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(folder)}
    command = [PROGRAM, "demo", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=env, text=True) as program:
        try:
            running = Demo(program)
            yield running
            running.client.close()
        finally:
            program.terminate()


class Daemon:
    """A daemon with a configuration of its own, on the relay of a demo. It can be killed and started again."""

    def __init__(self, folder: Path, relay: str, configuration: str) -> None:
        self.socket = str(folder / "portico.sock")
        self.client = Portico(socket=self.socket)
        self._file = folder / "portico.toml"
        local = '[service]\nkey_file = "service.key"\n[local]\nsocket = "portico.sock"\n[log]\nlevel = "error"\n'
        for name, text in {
            "portico.toml": f'data_dir = "data"\nrelays_file = "relays.toml"\n{local}{configuration}',
            "relays.toml": f'[[relay]]\nurl = "{relay}"\n',
        }.items():
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o600)
        self.resume()

    def resume(self) -> None:
        """Starts it, and waits until a relay is connected."""
        self._program = subprocess.Popen([PROGRAM, "serve", "--config", str(self._file)])
        while True:
            try:
                self.client.ready()
            except PorticoError:
                assert self._program.poll() is None
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        self._program.kill()
        self._program.wait()


@contextmanager
def daemon(folder: Path, relay: str, configuration: str) -> Iterator[Daemon]:
    running = Daemon(folder, relay, configuration)
    try:
        yield running
    finally:
        running.client.close()
        running.kill()
