# Runs a command on a terminal of its own: our stdin is the keyboard, our stdout the screen. At the end it prints one
# line of JSON on stderr: the exit code and whether the terminal's settings are as they were. Called by pty.ts.
import fcntl, json, os, select, struct, subprocess, sys, termios, threading

keyboard, terminal = os.openpty()
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
before = termios.tcgetattr(terminal)


def own_terminal():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


child = subprocess.Popen(sys.argv[1:], stdin=terminal, stdout=terminal, stderr=terminal, preexec_fn=own_terminal)
ended, ending = os.pipe()


def wait():
    child.wait()
    os.write(ending, b'.')


threading.Thread(target=wait, daemon=True).start()
sources = [0, keyboard, ended]
while True:
    ready = select.select(sources, [], [])[0]
    if keyboard in ready:
        os.write(1, os.read(keyboard, 65536))
    elif ended in ready:
        break
    elif 0 in ready:
        keys = os.read(0, 65536)
        if keys:
            os.write(keyboard, keys)
        else:
            # The keyboard is gone, and with it the terminal: the child gets a hang-up.
            os.close(terminal)
            os.close(keyboard)
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
            print(json.dumps({'exitCode': child.wait(), 'restored': None}), file=sys.stderr)
            sys.exit(0)
restored = termios.tcgetattr(terminal) == before
print(json.dumps({'exitCode': child.returncode, 'restored': restored}), file=sys.stderr)
