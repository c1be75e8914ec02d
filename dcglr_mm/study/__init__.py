"""Several methods on several backbones, trained alike, scored alike, in one table."""
from .execution import Execution, carry_out
from .plan import Row, Run, plan_rows, prepare_folders
from .processes import alone_in
from .scoring import Scoring
from .table import collect, format_markdown, format_text

__all__ = [
    'Execution', 'Row', 'Run', 'Scoring', 'alone_in', 'carry_out', 'collect', 'format_markdown',
    'format_text', 'plan_rows', 'prepare_folders'
]
