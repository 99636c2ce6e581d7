"""A headless Chromium for tests, driven over a pipe by its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe"),
]
KEYS = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowDown": 40, "End": 35}
CONTROL = 2  # the modifier's bit
BAD = ("error", "warning", "assert")  # levels of messages


class Browser:
    """A running Chromium; messages are JSON and a zero byte, on its descriptors 3 and 4."""

    def __init__(self, profile: Path) -> None:
        their_in, self._out = _far(os.pipe())
        self._in, their_out = _far(os.pipe())

        def own_descriptors() -> None:
            os.dup2(their_in, 3)
            os.dup2(their_out, 4)

        words = [*FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(
            [PROGRAM, *words],
            preexec_fn=own_descriptors,
            pass_fds=(3, 4),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(their_in)
        os.close(their_out)
        self._rest, self._number = b"", 0
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Give an order and wait for its answer; events that come meanwhile are kept."""
        self._number += 1
        order = {"id": self._number, "method": method, "params": params}
        if session:
            order["sessionId"] = session
        os.write(self._out, json.dumps(order).encode() + b"\0")
        deadline = time.monotonic() + 60
        while True:
            for message in self.receive(deadline - time.monotonic()):
                if message.get("id") != self._number:
                    self.events.append(message)
                elif "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                else:
                    answer: dict[str, Any] = message["result"]
                    return answer

    def receive(self, seconds: float) -> Iterator[dict[str, Any]]:
        """The messages that are there, or the first that come."""
        if not select.select([self._in], [], [], max(0, seconds))[0]:
            raise TimeoutError("the browser does not answer")
        data = os.read(self._in, 1 << 20)
        if not data:
            raise RuntimeError("the browser has ended")
        *whole, self._rest = (self._rest + data).split(b"\0")
        return map(json.loads, whole)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._in)
        os.close(self._out)


def _far(pair: tuple[int, int]) -> tuple[int, int]:
    """The same descriptors with numbers that 3 and 4 do not meet."""
    far = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 50) for each in pair]
    for each in pair:
        os.close(each)
    return far[0], far[1]


class Tab:
    """A page in the browser, in a window of a size, for a person with these preferences."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        size: tuple[int, int] = (1280, 900),
        *,
        dark: bool = False,
        language: str = "en-US",
    ) -> None:
        self._browser = browser
        self._target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.send("Target.attachToTarget", targetId=self._target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setFocusEmulationEnabled", enabled=True)
        metrics = {"width": size[0], "height": size[1], "mobile": size[0] < 500}
        self.send("Emulation.setDeviceMetricsOverride", deviceScaleFactor=1, **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        agent = self._browser.send("Browser.getVersion")["userAgent"]
        self.send("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=language)
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.send(method, self._session, **params)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise's value is waited for."""
        how = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = self.send("Runtime.evaluate", expression=expression, **how)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{expression}; {self.evaluate('document.body.innerText')}")
            time.sleep(0.03)

    def choose_files(self, selector: str, *paths: Path) -> None:
        """What a person chooses in the dialogue of a file input."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def drop_files(self, *paths: Path) -> None:
        """Drag files over the middle of the page and let them go there."""
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.send("Input.dispatchDragEvent", type=kind, x=400, y=400, data=data)

    def place(self, selector: str) -> tuple[float, float]:
        """The middle of an element, brought into sight."""
        return tuple(
            self.evaluate(
                f"(() => {{ const e = document.querySelector({selector!r});"
                "e.scrollIntoView({block: 'nearest'}); const r = e.getBoundingClientRect();"
                "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
            )
        )

    def point(self, selector: str) -> None:
        x, y = self.place(selector)
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector: str) -> None:
        self.point(selector)
        x, y = self.place(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, modifiers: int = 0) -> None:
        code = KEYS[key] if key in KEYS else ord(key.upper())
        text = "\r" if key == "Enter" else "" if key in KEYS or modifiers else key
        event = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
        self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def screenshot(self, path: Path, **params: Any) -> None:
        data = self.send("Page.captureScreenshot", **params)["data"]
        path.write_bytes(base64.b64decode(data))

    def complaints(self) -> list[str]:
        """What the browser complained of: errors, exceptions, and breaches of the page's policy."""
        self.evaluate("1")  # with whose answer the events come
        found = []
        for event in self._browser.events:
            params, level = event["params"], ""
            if event["method"] == "Log.entryAdded":
                level = params["entry"]["level"]
            elif event["method"] == "Runtime.consoleAPICalled":
                level = params["type"]
            bad = event["method"] == "Runtime.exceptionThrown" or level in BAD
            if bad and event.get("sessionId") == self._session:
                found.append(json.dumps(params))
        return found

    def close(self) -> None:
        self._browser.send("Target.closeTarget", targetId=self._target)
