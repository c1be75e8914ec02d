"""POS-BERT (Fu et al. 2023): a transformer over patches, pre-trained by self-distillation."""
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .layout import shape_of
from .report import Report
from .source import (
    TRAINING_STATE,
    Selected,
    Source,
    arguments_of,
    is_state_dict,
    plain_state_dict,
    select_by_prefix,
)

_NETWORKS = ('teacher', 'student')
#: Their architectures to the numbers of heads, which no weight shows.
_HEADS = {'pct_base': 4, 'pct_large': 8}
_HEADS_BY_SHAPE = {(192, 4): 4, (512, 8): 8}  # width and depth of the same two
_PATCH_NETWORK = r'(conv1|conv2|bn1|bn2|gather_local_0)\.'


class POSBERTSource(Source):
    """Pre-training checkpoints of fukexue/POS-BERT.

    Its evaluation takes the teacher's normalised class token.
    """

    name = 'pos-bert'
    title = 'transformer of fukexue/POS-BERT, a pre-training checkpoint'
    backbone = 'ViT3D'
    networks = _NETWORKS
    fixed = dict(in_channels=3, patch_network='edge', patch_rounding='ceil', fps_start='first',
                 patch_channels=(64, ), norm_eps=1e-6, output_linear=False)
    settings = dict(patch_size=32, num_heads=None)
    left_out = (
        (r'head\.', 'the projector of pre-training'),
        (r'mask_token$|pos_embedding\.', 'masked tokens, which only pre-training has'),
    )

    def recognises(self, content: Mapping[str, Any]) -> bool:
        states = [content.get(name) for name in _NETWORKS]
        states = [state for state in states if is_state_dict(state)] or [
            plain_state_dict(content)]
        return is_state_dict(states[0]) and {'cls_token', 'gather_local_0.conv1.weight'} <= set(
            _strip(states[0]).weights)

    def select(self, content: Mapping[str, Any], network: str | None,
               report: Report) -> Selected:
        named = network
        network = self.check_network(network)
        if not any(name in content for name in _NETWORKS):
            if named is not None:
                raise ValueError(f'network {named!r}: the checkpoint holds one network only')
            return _strip(plain_state_dict(content, report))
        if not isinstance(content.get(network), Mapping):
            raise ValueError(f'the checkpoint has no {network}, only '
                             f'{[name for name in _NETWORKS if name in content]}')
        for name in content:
            if name in _NETWORKS and name != network:
                report.leave_out((f'{name}: {key}' for key in content[name]),
                                 f'the {name} network')
            elif name != network:
                report.leave_out(name, TRAINING_STATE)
        return _strip(content[network])

    def architecture(self, weights: Mapping[str, Tensor]) -> dict[str, Any]:
        if 'head_conv0.0.weight' in weights or 'conv0.0.weight' in weights:
            raise ValueError('this is a fine-tuned classifier of POS-BERT, whose network differs '
                             '(LeakyReLU in the patch network, pooling of all tokens); only '
                             'pre-training checkpoints can be imported')
        embed_dims = shape_of(weights, 'cls_token', 3)[1]
        stem, inputs, _ = shape_of(weights, 'conv1.weight', 3)
        hidden = shape_of(weights, 'blocks.0.mlp.fc1.weight', 2)[0]
        depth = 1 + max(int(match[1]) for match in map(re.compile(r'blocks\.(\d+)\.').match,
                                                       weights) if match)
        return dict(in_channels=inputs, embed_dims=embed_dims, depth=depth,
                    mlp_ratio=hidden / embed_dims, patch_channels=(stem, ),
                    qkv_bias='blocks.0.attn.qkv.bias' in weights)

    def recorded_settings(self, content: Mapping[str, Any],
                          weights: Mapping[str, Tensor]) -> dict[str, tuple[Any, str]]:
        found = {}
        shape = (weights['cls_token'].shape[1],
                 sum(name.endswith('.norm1.weight') for name in weights))
        if shape in _HEADS_BY_SHAPE:
            found['num_heads'] = (_HEADS_BY_SHAPE[shape],
                                  f'not in the file; POS-BERT\'s for width {shape[0]} and depth '
                                  f'{shape[1]}')
        arguments = arguments_of(content.get('args'))
        if str(arguments.get('arch')) in _HEADS:
            found['num_heads'] = (_HEADS[arguments['arch']],
                                  f'of {arguments["arch"]}, from args in the file')
        if 'patch_size' in arguments:
            found['patch_size'] = (arguments['patch_size'], 'from args in the file')
        return found

    def their_name(self, name: str) -> str | None:
        if re.match(r'patch_embed\.' + _PATCH_NETWORK, name):
            return name.removeprefix('patch_embed.')
        return name if re.match(r'(cls_token$|blocks\.|norm\.)', name) else None

    def to_ours(self, name: str, value: Tensor) -> Tensor:
        return value.transpose(1, 2) if name == 'cls_token' and value.ndim == 3 else value

    def to_theirs(self, name: str, value: Tensor) -> Tensor:
        return self.to_ours(name, value)


def _strip(state: Mapping[str, Any]) -> Selected:
    return select_by_prefix(state, 'module.', 'backbone.')
