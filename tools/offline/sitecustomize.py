"""On a kernel's PYTHONPATH, this refuses every connection and look-up that leaves the machine.

An audit hook sees the calls of every library, and every Python that the kernel starts has it too.
"""

import sys

TO_ADDRESS = {"socket.connect", "socket.sendto", "socket.sendmsg"}  # arguments: socket, address
TO_NAME = {"socket.getaddrinfo", "socket.gethostbyname"}  # arguments: host name, ...
HERE = {None, "", "localhost", "::1", "::", "0.0.0.0"}


def refuse(event, args):
    if event in TO_ADDRESS and isinstance(args[1], tuple):  # a path is a socket in the file system
        host = args[1][0]
    elif event in TO_NAME:
        host = args[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in HERE and not str(host).startswith("127."):
        raise OSError(f"the network is closed in this test: {event} {host}")


sys.addaudithook(refuse)
