"""Load a checkpoint into a whole model, with every weight accounted for."""
import re

from torch import nn

from dcglr_mm.evaluation.checkpoint import read_state_dict


def _listing(keys: list[str]) -> str:
    shown = ', '.join(keys[:6])
    return f'{len(keys)} ({shown}{", ..." if len(keys) > 6 else ""})'


def load_strictly(model: nn.Module, path: str, ignore: str | None = None) -> list[str]:
    """Load a checkpoint; a weight that is missing, left over or of another shape is an error.

    MMEngine's own loading only logs these, so that a network with random weights can be scored.

    Args:
        model: A model, not wrapped.
        path: A checkpoint, or a file with a plain state dict.
        ignore: Regular expression; keys in which it is found may be missing or left over.

    Returns:
        What was excused by ``ignore``, a line for the missing keys and one for those left over.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint, or it and the model do not fit together.
    """
    state = read_state_dict(path)
    own = model.state_dict()

    def unexplained(keys: set[str]) -> list[str]:
        return sorted(key for key in keys if ignore is None or not re.search(ignore, key))

    problems = []
    missing, left_over = unexplained(own.keys() - state.keys()), unexplained(
        state.keys() - own.keys())
    reshaped = [f'{key} {tuple(state[key].shape)} for {tuple(own[key].shape)}'
                for key in sorted(own.keys() & state.keys()) if state[key].shape != own[key].shape]
    if missing:
        problems.append(f'weights of the model missing in it: {_listing(missing)}')
    if left_over:
        problems.append(f'weights that the model does not have: {_listing(left_over)}')
    if reshaped:
        problems.append(f'weights of another shape: {_listing(reshaped)}')
    if problems:
        raise ValueError(f'checkpoint {path} does not fit {type(model).__name__}: '
                         + '; '.join(problems))
    # Every key is accounted for by now: what is not loaded is excused, and reported below.
    model.load_state_dict({key: value for key, value in state.items() if key in own},
                          strict=False)
    excused = (('keep their initial values', own.keys() - state.keys()),
               ('are not used', state.keys() - own.keys()))
    return [f'weights that {what}, as --ignore-keys allows: {", ".join(sorted(keys))}'
            for what, keys in excused if keys]
