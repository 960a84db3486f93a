"""A headless Chromium, spoken to by its DevTools protocol: what a page logs, asks for, and looks like."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
          "--remote-debugging-port=0", "--window-size=1200,1600", "about:blank")  # fmt: skip


class Browser:
    """One page. `complaints` is all that it logs; `asked` is every address it asked for."""

    def __init__(self, socket):
        self._socket = socket
        self._last = 0
        self.complaints, self.asked = [], []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **params):
        """Do one command; what happens meanwhile is noted."""
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=30))
            if message.get("id") == self._last:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message):
        what, params = message.get("method"), message.get("params", {})
        if what == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif what in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
            self.complaints.append(params)

    def open(self, url):
        """Go to a page and wait until it is there."""
        self.send("Page.navigate", url=url)
        self.until(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(url[:40])})")

    def ask(self, expression):
        """The value of an expression in the page."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression, seconds=20):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.ask(expression):
            assert time.monotonic() < end, f"not within {seconds} s: {expression}"
            time.sleep(0.02)

    def key(self, key, code=None):
        """Press a key."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=code or key,
                      windowsVirtualKeyCode={"Tab": 9, "Enter": 13, "ArrowDown": 40}.get(key, 0),
                      **(text if kind == "keyDown" else {}))  # fmt: skip

    def scheme(self, name):
        """Prefer light or dark."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def width(self, pixels):
        """Make the window as wide as that."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=pixels, height=900, deviceScaleFactor=1, mobile=False
        )


@contextlib.contextmanager
def browser(folder):
    """A browser that is closed again; `folder` takes what it keeps."""
    from websockets.sync.client import connect

    assert CHROMIUM is not None
    profile = Path(folder) / "profile"
    command = [CHROMIUM, f"--user-data-dir={profile}", *_FLAGS]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _port(profile / "DevToolsActivePort")
        with connect(_page(port), max_size=None) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        process.wait(20)


def _port(file, seconds=30):
    end = time.monotonic() + seconds
    while not (file.exists() and file.read_text().strip()):
        assert time.monotonic() < end, "the browser does not come up"
        time.sleep(0.05)
    return int(file.read_text().splitlines()[0])


def _page(port):
    """The socket of the browser's first page."""
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=20) as answer:
        targets = json.load(answer)
    return next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
