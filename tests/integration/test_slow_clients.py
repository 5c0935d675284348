"""Clients that send a byte now and then take nobody's turn: neither health's, nor the API's, nor the import's."""

import socket
import threading
import time
from contextlib import ExitStack

import pytest
import requests

from standins.local import wait_until

pytestmark = pytest.mark.slow

DRIPPING = 200
TOKEN = {"Authorization": "Bearer a-token-of-24-characters"}


@pytest.fixture
def service(run_service):
    return run_service("patient")


@pytest.fixture
def drip():
    """Opens connections that send a byte every two seconds, from a thread of their own."""
    with ExitStack() as stack:
        ending = threading.Event()
        connections = []

        def run():
            while not ending.wait(2):
                for connection in connections:
                    connection.send(b"x")

        def begin(port, beginning):
            for _ in range(DRIPPING):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                connection.sendall(beginning)
                connections.append(connection)
            thread = threading.Thread(target=run)
            thread.start()
            stack.callback(thread.join)
            stack.callback(ending.set)

        yield begin


def answers(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).ok
    except requests.RequestException:
        return False


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /api/patients HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n",
    ],
    ids=["header", "body"],
)
def test_a_service_answers_and_imports_while_two_hundred_clients_drip(
    service, drip, beginning, patients, make_registration
):
    assert wait_until(lambda: answers(service.port), 60)
    drip(service.port, beginning)
    patients.upload(make_registration())
    began, slowest = time.monotonic(), 0.0
    while time.monotonic() - began < 6 or not patients.patients():
        asked = time.monotonic()
        assert requests.get(f"http://127.0.0.1:{service.port}/livez", timeout=5).ok
        slowest = max(slowest, time.monotonic() - asked)
        assert requests.get(f"http://127.0.0.1:{service.port}/api/patients", headers=TOKEN, timeout=5).ok
        assert time.monotonic() - began < 60
    assert slowest < 1, slowest


def test_a_request_that_takes_too_long_to_come_in_is_cut_off(service):
    assert wait_until(lambda: answers(service.port), 60)
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        began = time.monotonic()
        connection.settimeout(1)
        while time.monotonic() - began < 60:
            try:
                connection.send(b"x")
                if connection.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert 25 < time.monotonic() - began < 45
