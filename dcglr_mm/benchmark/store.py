"""Results in a JSON file that is whole at any moment."""
from __future__ import annotations

import json
import os
from pathlib import Path

from .conditions import describe_waiting

_FORMAT = 1


class ResultStore:
    """Conditions and results, written after every case.

    The file holds ``runs`` (one entry for each process that measured: its conditions) and
    ``results`` (one entry a case and setting; ``run`` is its index among the runs). A result
    belongs to the same measurement if case, allocator, device, threads, wait policy, version of
    torch and use of Triton's kernels are the same. ``running`` is the case being measured.

    Args:
        path: The JSON file.
        resume: Whether to go on with a file that exists.
        after_kill: The process that wrote the file was killed just now: the case that it was
            measuring is marked so, and cases so marked are not tried again.

    Raises:
        FileExistsError: If the file exists and is not to be resumed.
        ValueError: If it is not a results file.
    """

    def __init__(self, path: str | Path, resume: bool = False, after_kill: bool = False
                 ) -> None:
        self.path = Path(path)
        self.after_kill = after_kill
        self.runs: list[dict] = []
        self.results: list[dict] = []
        if not self.path.exists():
            return
        if not resume:
            raise FileExistsError(f'{self.path} exists: give --resume to go on with it, or '
                                  'another --out')
        content = read_results(self.path)
        self.runs, self.results = content['runs'], content['results']
        if after_kill and content.get('running'):
            self.results.append({**content['running'], 'status': 'killed',
                                 'message': 'the process was killed, perhaps for want of memory'})
            self.save()

    def begin(self, conditions: dict) -> None:
        """Starts a run; results added from now on belong to it."""
        self.runs.append(conditions)

    def is_done(self, key: str) -> bool:
        """Whether this case was measured under the present run's conditions, or is not to be."""
        done = ('ok', 'killed') if self.after_kill else ('ok', )
        return any(result['status'] in done for result in self._matches(key))

    def announce(self, case: dict) -> None:
        """Notes the case that is measured next, in case the process does not live to tell."""
        self.save(running={**case, 'run': len(self.runs) - 1})

    def add(self, result: dict) -> None:
        """Takes a result in the place of an older one of the same case, and writes the file."""
        for old in self._matches(result['key']):
            self.results.remove(old)
        self.results.append({**result, 'run': len(self.runs) - 1})
        self.save()

    def save(self, running: dict | None = None) -> None:
        """Writes the file aside and renames it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = dict(format=_FORMAT, runs=self.runs, results=self.results, running=running)
        aside = self.path.with_name(f'{self.path.name}.{os.getpid()}.tmp')
        aside.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
        os.replace(aside, self.path)

    def _matches(self, key: str) -> list[dict]:
        setting = _setting(self.runs[-1])
        return [result for result in self.results
                if result['key'] == key and _setting(self.runs[result['run']]) == setting]


def read_results(path: str | Path) -> dict:
    """Content of a results file: ``runs``, ``results`` and ``running``.

    Raises:
        ValueError: If it is not a results file.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not JSON ({error})') from None
    if not isinstance(content, dict) or content.get('format') != _FORMAT:
        raise ValueError(f'{path} is not a results file of this benchmark (format {_FORMAT})')
    return content


def _setting(run: dict) -> tuple:
    names = ('allocator', 'torch_device', 'device', 'threads', 'torch', 'kernels')
    return (*(run.get(name) for name in names),
            describe_waiting(run.get('environment', {})))
