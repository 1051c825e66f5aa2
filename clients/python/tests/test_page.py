"""Portico's own sign-in page, to the end: the code that comes back is redeemed once."""

import html
import re
import socket
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import stage

from portico_client import PorticoError

PAGE = """
[sessions]
enabled = true
[web]
listen = "127.0.0.1:{port}"
public_url = "http://localhost:{port}"
name = "Example"
[[web.app]]
id = "shop"
name = "The Shop"
return_urls = ["http://localhost:8000/signed-in"]
sessions = true
"""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_code_of_the_sign_in_page_is_redeemed_once(demo: stage.Demo, tmp_path: Path) -> None:
    port = free_port()
    with (
        stage.daemon(tmp_path, demo.relay, PAGE.format(port=port)) as daemon,
        httpx.Client(base_url=f"http://localhost:{port}", follow_redirects=False) as browser,
    ):
        begun = browser.get("/sign-in?app=shop&state=s1")
        # A browser counts localhost as secure, and httpx does not.
        cookie = {"cookie": begun.headers["set-cookie"].split(";")[0]}
        path = begun.headers["location"]
        page = browser.get(path, headers=cookie)
        [link] = re.findall(r'href="(portal://[^"]+)"', page.text)
        demo.scan(html.unescape(link), "as visitor")
        # A browser without JavaScript loads the page again until it is sent back.
        while (page := browser.get(path, headers=cookie)).status_code == 200:
            time.sleep(0.1)
        back = urlsplit(page.headers["location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == "http://localhost:8000/signed-in"
        query = parse_qs(back.query)
        assert query["state"] == ["s1"]
        login = daemon.client.redeem("shop", query["code"][0])
        access_token = login["login"]["access_token"]
        assert daemon.client.check(access_token=access_token, credential=login["session_token"])
        with pytest.raises(PorticoError) as again:
            daemon.client.redeem("shop", query["code"][0])
        assert again.value.status == 400
        with pytest.raises(PorticoError, match="no such app"):
            daemon.client.redeem("other", "code")
