# The least that a shell does for a job on its terminal: Ctrl-Z gives it back, and Enter is `fg`. A real shell takes every
# SIGSTOP for a Ctrl-Z, and so fails a test on a machine that stands still. Started on a terminal by pty.ts.
import os, signal, sys, termios

signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # Or we could not take the terminal back.
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    _, status = os.waitpid(job, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        break
    if os.WSTOPSIG(status) != signal.SIGTSTP:
        continue
    os.tcsetpgrp(0, os.getpgrp())
    is_raw = not termios.tcgetattr(0)[3] & termios.ICANON
    print('stopped, the terminal is', 'raw' if is_raw else 'cooked', flush=True)
    sys.stdin.readline()
    os.tcsetpgrp(0, job)
    os.killpg(job, signal.SIGCONT)
os.tcsetpgrp(0, os.getpgrp())
print('ended', flush=True)
sys.exit(os.waitstatus_to_exitcode(status))
