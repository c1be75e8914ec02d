"""Workers fork from a server that has what they need and leaves Ctrl-C to this process."""
import os
import subprocess
import sys

SLOW = """
import os, pathlib, time
pathlib.Path('begun').touch()
time.sleep(1)
pid = os.getpid()
"""
INTERRUPTED = """
import os, pathlib, signal, time
from dcglr_mm.engine.fork_server import fork_server
from dcglr_mm.engine.interrupt import clean_interrupt

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are deaf to it
with clean_interrupt('repeat the command'):
    fork_server('slow_to_import')
    while not pathlib.Path('begun').exists():
        time.sleep(0.01)
    os.killpg(0, signal.SIGINT)
    time.sleep(600)
"""
WORKERS = """
import os, sys
from dcglr_mm.engine.fork_server import fork_server

def work(queue):
    queue.put(('slow_to_import' in sys.modules, os.getppid() == sys.modules['slow_to_import'].pid))

if __name__ == '__main__':
    for _ in range(2):
        context = fork_server('slow_to_import')
        queue = context.SimpleQueue()
        worker = context.Process(target=work, args=(queue,))
        worker.start()
        print(queue.get())
        worker.join()
"""


def run(folder, code):
    (folder / 'slow_to_import.py').write_text(SLOW)
    (folder / 'script.py').write_text(code)
    path = os.pathsep.join([str(folder), *sys.path])
    return subprocess.run([sys.executable, 'script.py'], cwd=folder, capture_output=True, text=True,
                          timeout=300, start_new_session=True,
                          env={**os.environ, 'PYTHONPATH': path})


def test_ctrl_c_while_the_server_imports_prints_nothing_of_it(tmp_path):
    done = run(tmp_path, INTERRUPTED)
    assert (done.returncode, done.stderr) == (130, 'interrupted: repeat the command\n')


def test_what_is_imported_once_is_there_in_every_worker(tmp_path):
    done = run(tmp_path, WORKERS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ['(True, True)'] * 2
