"""A process for each connection, as the Python tutorials do it. Prints every message."""
import socket
from multiprocessing import Process


def talk(conn):
    while True:
        try:
            text = conn.recv(1024).decode()
            if not text:
                break
            print('message:', text)
            conn.send(text.upper().encode())
        except Exception as error:
            print(error)
            break
    conn.close()


if __name__ == '__main__':
    server = socket.socket()
    server.bind(('127.0.0.1', 0))
    server.listen(4096)
    print('listening on 127.0.0.1:%d' % server.getsockname()[1], flush=True)
    while True:
        conn, address = server.accept()
        Process(target=talk, args=(conn,)).start()
        conn.close()
