"""Ports of this machine for the servers of the demo and the tests."""

import socket

import pytest

from standins.local import LOOPBACK, free_port


def test_a_free_port_is_given_to_nobody_but_whoever_asks_for_it_by_its_number():
    port = free_port()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((LOOPBACK, port))
    socket.create_server((LOOPBACK, port)).close()
