#!/usr/bin/python3
"""A port on which no connection comes about: its queue is full and nobody takes from it. Prints the port; ends when its stdin ends."""
import socket
import sys

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(0)
clients = []
while True:
    client = socket.socket()
    client.settimeout(0.2)
    clients.append(client)
    try:
        client.connect(listener.getsockname())
    except TimeoutError:
        break
    if len(clients) > 64:
        sys.exit("this kernel's queue is never full")
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
