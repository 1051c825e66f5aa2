"""The package as its users have it: generated types, the README, and what other generators make of the document."""

import asyncio
import compileall
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import stage

CLIENT = Path(__file__).resolve().parents[1]
OPENAPI = stage.ROOT / "src/api/openapi.json"


def tool(name: str, *args: str) -> None:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run([name, *args], cwd=CLIENT, env=env, check=True)


def block(contains: str) -> str:
    """The one block of Python in the README that contains this."""
    readme = (CLIENT / "README.md").read_text(encoding="utf-8")
    [found] = [code for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if contains in code]
    return str(found)


def test_the_types_are_those_of_the_document() -> None:
    # Below the client, whose settings the formatter takes.
    made = CLIENT / "build/types.py"
    made.parent.mkdir(exist_ok=True)
    tool("datamodel-codegen", "--output", str(made))
    assert made.read_text() == (CLIENT / "src/portico_client/types.py").read_text(), "run datamodel-codegen"


def test_another_generator_makes_a_client_of_the_document_without_a_warning(tmp_path: Path) -> None:
    made = tmp_path / "made"
    tool("openapi-python-client", "generate", "--path", str(OPENAPI), "--output-path", str(made), "--fail-on-warning")
    assert compileall.compile_dir(made, quiet=2)
    assert (made / "portico_client/models/approval.py").exists()


def test_the_readmes_login_runs_as_it_stands(demo: stage.Demo, tmp_path: Path) -> None:
    script = tmp_path / "login.py"
    script.write_text(block("portico.logout("))
    env = {**os.environ, "PORTICO_SOCKET": demo.socket}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, str(script)], env=env, stdout=pipe, text=True) as program:
        assert program.stdout is not None
        demo.scan(program.stdout.readline().strip(), "as reader")
        lines = program.stdout.read().splitlines()
    assert program.returncode == 0
    assert lines[:2] == ["scanned", "approved"]
    assert lines[2].startswith("user: ")


def test_the_readmes_fastapi_apps_run_as_they_stand(demo: stage.Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    result = demo.approved("as fastapi-reader")
    assert result.login is not None
    user = result.login["user"]["id"]
    headers = {"authorization": f"Bearer {result.login['access_token']}", "x-wallet-session": result.session_token}
    monkeypatch.setenv("PORTICO_SOCKET", demo.socket)
    monkeypatch.setenv("WEBHOOK_SECRET", "secret")

    async def run() -> None:
        async with browser(block("Hello, admin")) as client:
            assert (await client.get("/", headers=headers)).json() == f"Hello, {user}"
            assert (await client.get("/admin", headers=headers)).json() == {"detail": {"error": "role_missing"}}
            sent = await client.get("/", headers={"accept": "text/html"})
            assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?return_to=%2F")
        async with browser(block("verify_webhook(")) as client:
            assert (await client.post("/hook", content=b"{}")).status_code == 401

    asyncio.run(run())


def browser(code: str) -> httpx.AsyncClient:
    """Runs an app of the README."""
    names: dict[str, Any] = {}
    exec(code, names)
    return httpx.AsyncClient(transport=httpx.ASGITransport(names["app"]), base_url="http://shop.example")
