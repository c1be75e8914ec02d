"""Whether a head of mmdet3d can read what the backbone before it gives."""
from collections.abc import Iterator

from torch import nn

from .point_features import PointFeatures


def check_head_channels(model: nn.Module) -> None:
    """Refuse a head that wants other features than the :class:`PointFeatures` before it gives.

    Torch itself complains too, in the first forward pass, but names no key of the config.

    Args:
        model: Any model, not wrapped; nothing is said about models without :class:`PointFeatures`,
            about necks, or about heads that this package does not know.

    Raises:
        ValueError: Naming the key of the config, what is there and what was expected.
    """
    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, PointFeatures) or getattr(model, 'neck', None) is not None:
        return
    given = backbone.out_channels
    for name in ('decode_head', 'bbox_head'):
        head = getattr(model, name, None)
        kinds = {cls.__name__ for cls in type(head).__mro__}
        if 'DGCNNHead' in kinds:
            _compare(f'model.{name}.fp_channels[0]', _inputs(head.FP_module), given['fa_points'],
                     'point_channels of the backbone')
        elif 'VoteHead' in kinds:
            if 'fp_features' not in given:
                raise ValueError(f'model.{name} is a {type(head).__name__}, which reads seeds: set '
                                 'model.backbone.num_seeds (VoteNet: 1024)')
            _compare(f'model.{name}.vote_module_cfg.in_channels', head.vote_module.in_channels,
                     given['fp_features'], 'model.backbone.seed_channels')
        elif 'PointNet2Head' in kinds:
            # PAConvHead goes on to what the points themselves have, PointNet2Head does not.
            own = given['fa_points'] if 'PAConvHead' in kinds else 0
            _check_levels(name, head, given, own)


def _check_levels(name: str, head: nn.Module, given: dict, of_points: int) -> None:
    if 'sa_features' not in given:
        raise ValueError(f'model.{name} is a {type(head).__name__}, which reads levels: set '
                         'model.backbone.level_points and level_channels')
    levels = given['sa_features']
    if len(head.FP_modules) != len(levels):
        raise ValueError(f'model.{name}.fp_channels has {len(head.FP_modules)} entries, but '
                         f'model.backbone.level_points {len(levels)}; they must be as many')
    carried = levels[-1]
    for i, module in enumerate(head.FP_modules):
        own = levels[-i - 2] if i + 1 < len(levels) else of_points
        _compare(f'model.{name}.fp_channels[{i}][0]', _inputs(module), carried + own,
                 f'{carried} from below and {own} of the level, model.backbone.level_channels '
                 f'{tuple(levels)}')
        carried = _outputs(module)


def _convolutions(module: nn.Module) -> Iterator[nn.Module]:
    return (m for m in module.modules() if isinstance(m, nn.modules.conv._ConvNd))


def _inputs(module: nn.Module) -> int:
    return next(_convolutions(module)).in_channels


def _outputs(module: nn.Module) -> int:
    return list(_convolutions(module))[-1].out_channels


def _compare(key: str, found: int, expected: int, because: str) -> None:
    if found != expected:
        raise ValueError(f'{key} is {found}, expected {expected}: {because}')
