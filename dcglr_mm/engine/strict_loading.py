"""Load a checkpoint into a whole model, with every weight accounted for."""
from torch import nn

from dcglr_mm.state_dicts import load_accounted, read_state_dict


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
    excuses = [] if ignore is None else [ignore]
    try:
        excused = load_accounted(model, state, excuses, excuses)
    except ValueError as error:
        raise ValueError(f'checkpoint {path} does not fit {type(model).__name__}: {error}') \
            from error
    return [line.replace(':', ', as --ignore-keys allows:', 1) for line in excused]
