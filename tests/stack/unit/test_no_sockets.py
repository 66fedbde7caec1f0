"""The guard on unit tests bites, in each of the ways to reach the network."""

import asyncio
import socket
import urllib.request

import pytest

from tests.servers.no_sockets import SocketsAreOffError


def test_connecting_fails():
    with socket.socket() as one, pytest.raises(SocketsAreOffError):
        one.connect(("127.0.0.1", 9))


def test_looking_up_a_name_fails():
    with pytest.raises(SocketsAreOffError):
        socket.getaddrinfo("localhost", 80)


def test_libraries_fail_too():
    with pytest.raises(SocketsAreOffError):
        urllib.request.urlopen("http://127.0.0.1:9/")


async def test_asyncio_fails_too():
    with pytest.raises(SocketsAreOffError):
        await asyncio.open_connection("127.0.0.1", 9)
