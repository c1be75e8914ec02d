"""STRL (Huang et al. 2021): DGCNN, for shapes and for points, and PointNet, pre-trained by BYOL."""
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .dgcnn import DGCNNSource
from .dgcnn_seg import DGCNNSegSource
from .pointnet import PointNetSource
from .report import Report
from .source import (
    TRAINING_STATE,
    Selected,
    StateDictSource,
    arguments_of,
    is_state_dict,
    plain_state_dict,
    select_by_prefix,
)

#: Entries in which releases of Lightning keep the arguments of a model.
_ARGUMENTS = ('hyper_parameters', 'hparams', 'module_arguments')
_HEADS_OF_PRETRAINING = (
    (r'projector\.', 'the projector of pre-training'),
    (r'predictor\.', 'the predictor of pre-training'),
)


class _STRLCheckpoint(StateDictSource):
    """Lightning checkpoints of yichen928/STRL, and what its ``transform_ckpt.py`` makes of them.

    Its evaluation takes the online network. Goes before the layout of the backbone among the bases.

    Attributes:
        network_argument: What a checkpoint records as the kind of network.
    """

    network_argument: str
    networks = ('online', 'target')
    left_out = _HEADS_OF_PRETRAINING
    head = None

    def recognises(self, content: Mapping[str, Any]) -> bool:
        state = content.get('state_dict')
        if not is_state_dict(state):
            return False
        for network in self.networks:
            keys = _of_network(state, network)
            if keys:
                return self.recognises_names(set(_without_prefix(state, keys, network).names))
        # Transformed: no classifier, and no trace of several devices.
        return self.recognises_names(set(state)) and not {'linear1.weight', 'conv9.weight'} & set(
            state)

    def select(self, content: Mapping[str, Any], network: str | None,
               report: Report) -> Selected:
        state = plain_state_dict(content)
        report.leave_out((name for name in content if name != 'state_dict'), TRAINING_STATE)
        taken = self.check_network(network)
        keys = {name: _of_network(state, name) for name in self.networks}
        if not any(keys.values()):  # transformed: the online network, without a prefix
            if taken != 'online':
                raise ValueError(f'network {network!r}: a transformed checkpoint holds the online '
                                 'network only')
            return select_by_prefix(state)
        if not keys[taken]:
            raise ValueError(f'the checkpoint has no {taken} network')
        others = set()
        for name in self.networks:
            if name != taken:
                report.leave_out(keys[name], f'the {name} network')
                others.update(keys[name])
        return _without_prefix(state, [key for key in state if key not in others], taken)

    def recorded_settings(self, content: Mapping[str, Any],
                          weights: Mapping[str, Tensor]) -> dict[str, tuple[Any, str]]:
        for entry in _ARGUMENTS:
            arguments = arguments_of(content.get(entry))
            if arguments:
                network = arguments.get('network', self.network_argument)
                if network != self.network_argument:
                    raise ValueError(f'{entry} says that the network is {network!r}, expected '
                                     f'{self.network_argument!r}')
                return {name: (arguments[name], f'from {entry} in the file')
                        for name in self.settings if name in arguments}
        return {}

    def wrap(self, weights: dict[str, Tensor]) -> dict[str, Any]:
        return dict(state_dict={f'online_network.{name}': value
                                for name, value in weights.items()})


class STRLSource(_STRLCheckpoint, DGCNNSource):
    """The shape DGCNN of STRL."""

    name = 'strl'
    title = 'shape DGCNN of yichen928/STRL, a Lightning checkpoint, released or transformed'
    network_argument = 'DGCNN'
    settings = dict(k=40)


class STRLPointNetSource(_STRLCheckpoint, PointNetSource):
    """The PointNet of STRL."""

    name = 'strl-pointnet'
    title = 'PointNet of yichen928/STRL, a Lightning checkpoint, released or transformed'
    network_argument = 'PointNet'


class STRLSegSource(_STRLCheckpoint, DGCNNSegSource):
    """The segmentation network of STRL, which it pre-trains on frames of ScanNet."""

    name = 'strl-seg'
    title = 'segmentation DGCNN of yichen928/STRL, a Lightning checkpoint, released or transformed'
    network_argument = 'DGCNN-Semseg'
    fixed = {**DGCNNSegSource.fixed, 'in_channels': 3, 'graph_channels': (0, 1, 2)}
    settings = dict(k=20)
    left_out = (*_HEADS_OF_PRETRAINING,
                (r'conv[78]\.|bn[78]\.', 'layers of the head, which pre-training does not train'))


def _prefixes(network: str) -> tuple[str, str]:
    """Prefixes of a network's keys; the second is a misspelling in early checkpoints."""
    return f'{network}_network.', f'{network}_netwrok.'


def _of_network(state: Mapping[str, Any], network: str) -> list[str]:
    return [key for key in state if key.startswith(_prefixes(network))]


def _without_prefix(state: Mapping[str, Any], keys: list[str], network: str) -> Selected:
    return select_by_prefix({key: state[key] for key in keys}, *_prefixes(network))
