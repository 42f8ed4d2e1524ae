# Runs a command whose standard output is stuck from the beginning. Called by stuck.ts.
# Usage: stuck.py pipe|socket|terminal|full|file COMMAND...
# First prints {"pid": …}. Reads `read` (from now on somebody reads, slowly), `stop` (and no more) or `close` (the reader goes). When the command has
# ended, prints {"exitCode": …, "output": …, "errors": …}: what it wrote to its standard output and its standard error.
import json, os, select, socket, subprocess, sys, tempfile, termios, threading

kind, command = sys.argv[1], sys.argv[2:]
errors = tempfile.TemporaryFile()
filling = 0
reader = None
if kind == 'pipe':
    reader, writer = os.pipe()
elif kind == 'socket':
    ends = socket.socketpair()
    reader, writer = (end.detach() for end in ends)
elif kind == 'terminal':
    reader, writer = os.openpty()
    settings = termios.tcgetattr(writer)
    settings[1] &= ~termios.OPOST
    termios.tcsetattr(writer, termios.TCSANOW, settings)
    termios.tcflow(writer, termios.TCOOFF)  # As Ctrl-S does it.
elif kind == 'full':
    writer = os.open('/dev/full', os.O_WRONLY)
else:
    file = tempfile.TemporaryFile()  # Without a name: nothing is left when this is killed.
    writer = os.open(f'/proc/self/fd/{file.fileno()}', os.O_WRONLY | os.O_APPEND)
if kind in ('pipe', 'socket'):
    os.set_blocking(writer, False)
    size = 4096
    while size > 0:
        try:
            filling += os.write(writer, b'x' * size)
        except BlockingIOError:
            size //= 2
    os.set_blocking(writer, True)

child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writer, stderr=errors)
if kind != 'terminal':
    os.close(writer)
print(json.dumps({'pid': child.pid}), flush=True)
output = bytearray()
ended, ending = os.pipe()
threading.Thread(target=lambda: (child.wait(), os.write(ending, b'.')), daemon=True).start()


def take(size):
    """Whether something came."""
    global reader
    try:
        piece = os.read(reader, size)
    except BlockingIOError:
        return False
    except OSError:
        piece = b''
    output.extend(piece)
    if not piece:
        reader = None
    return piece != b''


reads = False
words = [0]
while True:
    ready = select.select([ended] + words + ([reader] if reads and reader is not None else []), [], [])[0]
    if ended in ready:
        break
    word = os.read(0, 100) if 0 in ready else None
    if word == b'':  # The test has gone.
        words = []
        child.kill()
    elif word == b'read':
        reads = True
        if kind == 'terminal':
            termios.tcflow(writer, termios.TCOON)
    elif word == b'stop':
        reads = False
    elif word == b'close':
        os.close(reader)
        reader = None
    elif reader in ready:
        take(1000)

if kind == 'terminal':
    os.close(writer)
if reader is not None:
    os.set_blocking(reader, False)
    while reader is not None and take(65536):
        pass
if kind == 'file':
    output = bytearray(open(file.name, 'rb').read())
errors.seek(0)
print(json.dumps({
    'exitCode': child.returncode, 'output': output[filling:].decode(), 'errors': errors.read().decode(),
}), flush=True)
