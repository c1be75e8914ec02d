"""Converts many rooms in several processes, so that a killed job goes on and leaves no half files.

Everything is written into ``OUT.partial`` beside the output; the folder gets its name in one step
when it is whole. Entries whose name begins with a point are for the work only. A room whose record
is in ``.rooms`` is finished and not done again unless its own data changed.
"""
from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol

from ...engine.atomic_backend import write_atomically
from ...engine.interrupt import in_steps
from ...engine.progress import ProgressLine
from ..sole_writer import sole_writer
from .room import Room, RoomSource
from .workers import end_with_parent, worker_context

SUMMARY = 'conversion.json'
_BEGUN, _RECORDS = '.begun.json', '.rooms'
_STEP = 0.1  # seconds between two looks whether a signal has come
_LISTED = 20  # problems that an error names before it stops


class RoomFormat(Protocol):
    """A layout that rooms are written in.

    Attributes:
        identity: What the files depend on besides the rooms, of JSON's types.
    """

    identity: dict[str, Any]

    def write_room(self, room: Room, folder: Path) -> dict[str, Any]:
        """Write what belongs to one room, whole or not at all; give its record, of JSON's types."""

    def finish(self, folder: Path, records: list[dict[str, Any]]) -> None:
        """Write what belongs to all rooms, given their records in order."""


def convert_rooms(source: RoomSource, layout: RoomFormat, out: str | Path, workers: int = 0,
                  label: str = 'rooms') -> list[str]:
    """Write all rooms of a source in a layout.

    Args:
        source: The rooms.
        layout: How they are written.
        out: Folder to make. One that this function wrote from the same rooms is left as it is.
        workers: Processes beside this one; 0 does all in this one. The files are the same.
        label: Begins the progress line.

    Returns:
        What was mended or left out, one sentence each.

    Raises:
        FileExistsError: ``out`` holds something else, ``OUT.partial`` was begun from other data or
            with other settings, or another process is writing.
        ValueError: Rooms cannot be read; the others are converted, and kept for the next call.
    """
    if workers < 0:
        raise ValueError(f'workers must be 0 or more, found {workers}')
    if not source.names:
        raise ValueError('there are no rooms to convert')
    out = Path(out).resolve()  # the folder itself where it is a link
    with sole_writer(out):
        return _convert(source, layout, out, workers, label)


def _convert(source: RoomSource, layout: RoomFormat, out: Path, workers: int,
             label: str) -> list[str]:
    identity = {'source': source.identity, 'layout': layout.identity}
    identity = json.loads(_json(identity))  # as it comes back from a file
    states = {name: source.state(name) for name in source.names}
    summary = identity | {'state': _digest(states)}
    found = _read_json(out / SUMMARY)
    if found is not None and found.items() >= summary.items():
        print(f'{label}: {out} is complete already')
        return found['notes']
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        differs = '' if found is None else f' ({_difference(found, summary)})'
        raise FileExistsError(f'{out} is there already and holds other data{differs}; remove it or '
                              'name another folder')
    partial = out.with_name(out.name + '.partial')
    _prepare(partial, identity)
    found = _read_json(partial / SUMMARY)
    if found is None or not found.items() >= summary.items():
        records = _do_rooms(source, layout, partial, states, workers, label)
        layout.finish(partial, records)
        found = summary | {'notes': [note for record in records for note in record['notes']]}
        write_atomically(_json(found), partial / SUMMARY)
    for entry in partial.glob('.*'):  # nothing of the work is needed once the summary is there
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    if out.is_dir():
        out.rmdir()
    os.replace(partial, out)
    return found['notes']


def _prepare(partial: Path, identity: dict[str, Any]) -> None:
    """Make the unfinished folder, or go on with one that was begun in the same way."""
    begun = _read_json(partial / _BEGUN) or _read_json(partial / SUMMARY)
    if begun is None:
        # A kill before the first room leaves entries of the work only.
        if partial.exists() and not all(p.name.startswith('.') for p in partial.iterdir()):
            raise FileExistsError(f'{partial} is needed for unfinished work, and holds other '
                                  'data; move it away')
        (partial / _RECORDS).mkdir(parents=True, exist_ok=True)
        write_atomically(_json(identity), partial / _BEGUN)
    elif not begun.items() >= identity.items():
        raise FileExistsError(f'{partial} was begun from other data or with other settings '
                              f'({_difference(begun, identity)}); remove it or repeat those')
    for rest in list(partial.rglob('.unfinished-*')):
        shutil.rmtree(rest, ignore_errors=True)


def _do_rooms(source: RoomSource, layout: RoomFormat, partial: Path, states: dict[str, str],
              workers: int, label: str) -> list[dict[str, Any]]:
    """Write the rooms that are not there yet; give the records of all in order."""
    records: dict[str, dict[str, Any]] = {}
    for name, state in states.items():
        record = _read_json(_record_path(partial, name))
        if record is not None and record['state'] == state:
            records[name] = record
    todo = [name for name in source.names if name not in records]
    progress = ProgressLine(label, max(1, len(states)))
    progress.update(len(records), 'goes on' if records else '')
    problems: list[str] = []
    try:
        with contextlib.closing(_run(source, layout, partial, todo, states, workers)) as results:
            for name, result in results:
                if isinstance(result, str):
                    problems.append(result)
                else:
                    records[name] = result
                progress.update(len(records), name)
    finally:
        progress.break_off()
    if problems:
        listed = problems[:_LISTED]
        if len(problems) > _LISTED:
            listed.append(f'and {len(problems) - _LISTED} more')
        raise ValueError(f'{len(problems)} of {len(states)} rooms cannot be converted; the others '
                         f'are kept, so mend these and repeat the command: {"; ".join(listed)}')
    return [records[name] for name in source.names]


def _run(source: RoomSource, layout: RoomFormat, partial: Path, todo: list[str],
         states: dict[str, str], workers: int) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Do rooms and give each one's record, or what is wrong with it, as it gets ready."""
    jobs = ((name, (source, layout, partial, name, states[name])) for name in todo)
    with in_steps() as stop_if_asked:
        if workers == 0:
            for name, job in jobs:
                yield name, _do_room(*job)
                stop_if_asked()
            return
        yield from _run_in_workers(jobs, workers, stop_if_asked)


def _run_in_workers(jobs: Iterator[tuple[str, tuple]], workers: int,
                    stop_if_asked: Callable[[], None]) -> Iterator[tuple[str, Any]]:
    with ProcessPoolExecutor(workers, worker_context(__name__), end_with_parent) as pool:
        running: dict[Future, str] = {}
        try:
            while True:
                while len(running) < 2 * workers and (job := next(jobs, None)) is not None:
                    running[pool.submit(_do_room, *job[1])] = job[0]
                if not running:
                    return
                for future in wait(running, _STEP, FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
                stop_if_asked()
        except BrokenProcessPool:
            raise OSError(f'a worker process was ended from outside while it did one of '
                          f'{", ".join(running.values())}; if memory ran out, use fewer workers '
                          f'than {workers}. Finished rooms are kept') from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _do_room(source: RoomSource, layout: RoomFormat, partial: Path, name: str,
             state: str) -> dict[str, Any] | str:
    try:
        room = source.load(name)
    except ValueError as error:
        return str(error)
    record = layout.write_room(room, partial)
    record = record | {'name': name, 'state': state, 'notes': room.notes}
    write_atomically(_json(record), _record_path(partial, name))
    return record


def _record_path(partial: Path, name: str) -> Path:
    return partial / _RECORDS / f'{name}.json'


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + '\n').encode()


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):  # of JSON, or of bytes no text
        return None
    return value if isinstance(value, dict) else None


def _digest(value: Any) -> str:
    return hashlib.blake2b(_json(value), digest_size=8).hexdigest()


def _difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Name the settings that differ, with both values."""
    old, new = ({**tree.get('source', {}), **tree.get('layout', {})} for tree in (found, wanted))
    keys = [key for key in old | new if old.get(key) != new.get(key)]
    return ', '.join(f'{key} {old.get(key)!r}, now {new.get(key)!r}' for key in keys) \
        or 'the files of the rooms changed'
