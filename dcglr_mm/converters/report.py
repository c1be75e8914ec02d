"""What became of every key of an imported or exported checkpoint."""
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Report:
    """An account of a conversion.

    Attributes:
        taken (dict[str, str]): Name in the input to name in the output.
        left_out (dict[str, list[str]]): Reason to names in the input.
        added (dict[str, list[str]]): Reason to names in the output that the input lacks.
        settings (dict[str, tuple[Any, str]]): Settings of the backbone to value and origin.
        notes (list[str]): What else a user should know.
    """
    taken: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    added: dict[str, list[str]] = field(default_factory=dict)
    settings: dict[str, tuple[Any, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, names: str | Iterable[str], reason: str) -> None:
        """Note names of the input that have no place in the output."""
        names = [names] if isinstance(names, str) else list(names)
        if names:
            self.left_out.setdefault(reason, []).extend(names)

    def add(self, name: str, reason: str) -> None:
        """Note a name of the output that the input lacks."""
        self.added.setdefault(reason, []).append(name)

    def lines(self, width: int = 100) -> list[str]:
        """The report as text, every name in it that is not simply taken."""
        total = len(self.taken) + sum(map(len, self.left_out.values()))
        lines = [f'{len(self.taken)} of {total} keys taken']
        for title, groups in (('left out', self.left_out), ('added', self.added)):
            for reason, names in groups.items():
                lines.append(f'{len(names)} {title}: {reason}')
                lines += textwrap.wrap(', '.join(names), width, initial_indent='    ',
                                       subsequent_indent='    ', break_on_hyphens=False,
                                       break_long_words=False)
        lines += [f'{name} = {value!r}: {origin}'
                  for name, (value, origin) in self.settings.items()]
        return lines + [f'note: {note}' for note in self.notes]
