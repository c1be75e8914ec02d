"""What follows the backbone in a release, and the model of ours that is the whole network."""
import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .layout import Layout, shape_of


class Head(Layout):
    """A head of a released network.

    Attributes:
        title: What it is, for people.
        keys: Pattern of its keys in the release.
        backbone_prefix: Of the backbone's keys in our model.
        prefix: Of the head's keys in our model.
        dropout: The default of their code; no weight shows it, and only training uses it.
        needs: Module to import before the model can be built, if there is one.
    """

    title: str
    keys: str
    backbone_prefix = 'backbone.'
    prefix = 'head.'
    dropout = 0.5
    needs: str | None = None

    def model(self, backbone: Mapping[str, Any], weights: Mapping[str, Tensor]) -> dict[str, Any]:
        """Config of our model.

        Args:
            backbone: Config of the backbone.
            weights: Weights of the whole network, by their names.

        Raises:
            ValueError: There is no head among the weights, or one of its weights is missing or has
                the wrong number of dimensions.
        """
        if not any(re.match(self.keys, name) for name in weights):
            raise ValueError(f'the file has no weights of {self.title}; leave --with-head out to '
                             'import its backbone')
        return self.build_config(dict(backbone), weights)

    @abstractmethod
    def build_config(self, backbone: dict[str, Any],
                     weights: Mapping[str, Tensor]) -> dict[str, Any]:
        """:meth:`model` where there is a head."""


class ClassifierHead(Head):
    """Hidden layers ``linear{i}`` and ``bn{i + 5}``, and a last ``linear`` to the classes.

    Args:
        num_hidden: Hidden layers.
        negative_slope: Of their LeakyReLU.
    """

    title = "the classifier's head"

    def __init__(self, num_hidden: int, negative_slope: float) -> None:
        self.num_hidden = num_hidden
        self.negative_slope = negative_slope
        self.keys = rf'linear[1-{num_hidden + 1}]\.|bn[6-{num_hidden + 5}]\.'

    def build_config(self, backbone: dict[str, Any],
                     weights: Mapping[str, Tensor]) -> dict[str, Any]:
        *hidden, classes = (shape_of(weights, f'linear{i}.weight', 2)[0]
                            for i in range(1, self.num_hidden + 2))
        head = dict(type='ClassificationHead', num_classes=classes, hidden_channels=tuple(hidden),
                    dropout=self.dropout, negative_slope=self.negative_slope)
        return dict(type='PointClassifier', backbone=backbone, head=head)

    def their_name(self, name: str) -> str | None:
        return re.sub(r'^bn(\d+)', lambda match: f'bn{int(match[1]) + 5}', name)


class SceneHead(Head):
    """antao97's layers for the points of a scene, as mmdet3d's ``DGCNNHead``.

    Theirs are ``conv7`` and ``conv8`` with batch norm and ``conv9`` to the classes without bias;
    mmdet3d's last layer always has one, which is zero then.
    """

    title = 'the segmentation head'
    keys = r'conv[789]\.|bn[78]\.'
    backbone_prefix = 'backbone.backbone.'
    prefix = 'decode_head.'
    needs = 'dcglr_mm.mmdet3d'
    _layers = (('FP_module.mlps.layer0', 7), ('pre_seg_conv', 8))

    def build_config(self, backbone: dict[str, Any],
                     weights: Mapping[str, Tensor]) -> dict[str, Any]:
        inputs = backbone['emb_dims'] + sum(widths[-1] for widths in backbone['stage_widths'])
        hidden = shape_of(weights, 'conv7.0.weight', 3)[0]
        channels = shape_of(weights, 'conv8.0.weight', 3)[0]
        classes = shape_of(weights, 'conv9.weight', 3)[0]
        backbone['type'] = f'dcglr_mm.{backbone["type"]}'
        head = dict(
            type='DGCNNHead', fp_channels=(inputs, hidden), channels=channels, num_classes=classes,
            dropout_ratio=self.dropout, conv_cfg=dict(type='Conv1d'), norm_cfg=dict(type='BN1d'),
            act_cfg=dict(type='LeakyReLU', negative_slope=0.2),
            loss_decode=dict(type='dcglr_mm.LabelSmoothingLoss', smoothing=0.2),
            ignore_index=classes)
        return dict(
            _scope_='mmdet3d', type='EncoderDecoder3D',
            data_preprocessor=dict(type='Det3DDataPreprocessor'),
            backbone=dict(type='dcglr_mm.PointFeatures', backbone=backbone), decode_head=head,
            train_cfg=dict(), test_cfg=dict(mode='whole'))

    def their_name(self, name: str) -> str | None:
        if name == 'conv_seg.bias':
            return None
        name = name.replace('conv_seg.', 'conv9.')
        for ours, number in self._layers:
            name = name.replace(f'{ours}.conv.', f'conv{number}.0.')
            name = name.replace(f'{ours}.bn.', f'conv{number}.1.')
        return name

    def second_name(self, their_name: str) -> str | None:
        match = re.fullmatch(r'conv(\d+)\.1\.(\w+)', their_name)
        return match and f'bn{match[1]}.{match[2]}'

    def neutral(self, name: str, own: Tensor) -> tuple[Tensor, str] | None:
        if name == 'conv_seg.bias':
            return torch.zeros_like(own), 'zero: their last layer has no bias'
        return super().neutral(name, own)
