"""An echo server of its own process, for many clients: python3 echo_server.py, says its port."""

import select
import socket

listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
listener.setblocking(False)
poll = select.epoll()
poll.register(listener, select.EPOLLIN)
conns = {}
print(listener.getsockname()[1], flush=True)
while True:
    for fd, _ in poll.poll():
        if fd == listener.fileno():
            conn = listener.accept()[0]
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conns[conn.fileno()] = conn
            poll.register(conn, select.EPOLLIN)
            continue
        conn = conns[fd]
        try:
            data = conn.recv(65536)
            if data:
                conn.sendall(data)
        except ConnectionError:
            data = b""
        if not data:
            del conns[fd]
            conn.close()  # which takes it out of the poll, too
