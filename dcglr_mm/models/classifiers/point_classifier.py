"""A backbone and a head that name the class of a cloud."""
from mmengine.model import BaseModel
from torch import Tensor

from dcglr_mm.registry import MODELS

from .voting import Voting


@MODELS.register_module()
class PointClassifier(BaseModel):
    """Classifies whole clouds, from scratch or from pre-trained weights.

    Pre-trained weights are loaded by the backbone's own
    ``init_cfg=dict(type='Pretrained', prefix='teacher.backbone.', checkpoint=...)``.

    Args:
        backbone (dict): Config of a :class:`PointBackbone`, or of any module that maps clouds
            (B, N, C) to features (B, D) and says D as ``out_channels``.
        head (dict): Config of the head; ``in_channels`` is filled in from the backbone.
        voting (dict, optional): Arguments of :class:`Voting`. Predictions then hold the outcome of
            the vote *beside* the plain one.
        data_preprocessor (dict, optional): Default: MMEngine's, which moves a batch to the device.
        init_cfg (dict | list, optional): MMEngine's initialisation config.

    Raises:
        TypeError: If the backbone has no integer ``out_channels``.
    """

    def __init__(self,
                 backbone: dict,
                 head: dict,
                 voting: dict | None = None,
                 data_preprocessor: dict | None = None,
                 init_cfg: dict | list | None = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        if not isinstance(getattr(self.backbone, 'out_channels', None), int):
            raise TypeError(f'the backbone {type(self.backbone).__name__} does not say its '
                            'out_channels, the channels D of the features (B, D) that it gives')
        self.head = MODELS.build({**head, 'in_channels': self.backbone.out_channels})
        self.voting = None if voting is None else Voting(**voting)

    @property
    def num_classes(self) -> int:
        """Classes that the head tells apart."""
        return self.head.num_classes

    def extract_feat(self, points: Tensor) -> Tensor:
        """Return the backbone's features (B, D) of clouds (B, N, C)."""
        return self.backbone(points)

    def forward(self,
                inputs: dict[str, Tensor],
                data_samples: dict | None = None,
                mode: str = 'tensor') -> dict[str, Tensor] | Tensor | list[dict]:
        """MMEngine's entry point.

        Args:
            inputs (dict[str, Tensor]): ``points`` of shape (B, N, C).
            data_samples (dict, optional): ``gt_label`` and ``sample_idx``, (B,) each.
            mode (str): ``'loss'`` for the losses, ``'tensor'`` for logits (B, K), ``'predict'`` for
                one dict a sample, see :meth:`predict`.

        Raises:
            ValueError: If ``mode`` is unknown, there are no ``points``, or ``'loss'`` finds no
                labels.
        """
        if 'points' not in inputs:
            raise ValueError("PointClassifier reads inputs['points'], found only "
                             f'{sorted(inputs)}; its pipeline has no MultiCrop')
        points, samples = inputs['points'], data_samples or {}
        if mode == 'loss':
            if 'gt_label' not in samples:
                raise ValueError('PointClassifier trains on labels, but the batch has no gt_label; '
                                 'is the train data set labelled?')
            return self.head.loss(self.extract_feat(points), samples['gt_label'])
        if mode == 'tensor':
            return self.head(self.extract_feat(points))
        if mode == 'predict':
            return self.predict(points, samples)
        raise ValueError(f"mode must be 'loss', 'tensor' or 'predict', got {mode!r}")

    def predict(self, points: Tensor, data_samples: dict | None = None) -> list[dict]:
        """Classify clouds (B, N, C).

        Args:
            points (Tensor): The clouds.
            data_samples (dict, optional): Copied into the result; voting reads ``sample_idx``.

        Returns:
            list[dict]: For each cloud ``pred_label`` (int) and ``pred_scores`` (K,) probabilities;
            with voting ``voted_label`` too; and its entries of ``data_samples``.

        Raises:
            ValueError: If voting finds no ``sample_idx``, which its scalings depend on.
        """
        samples = data_samples or {}
        logits = self.head(self.extract_feat(points))
        columns = dict(pred_label=logits.argmax(1), pred_scores=logits.float().softmax(1))
        if self.voting is not None:
            if 'sample_idx' not in samples:
                raise ValueError('voting needs the sample_idx of each cloud in data_samples')
            votes = self.voting(lambda clouds: self.head(self.extract_feat(clouds)), points,
                                samples['sample_idx'], logits)
            columns['voted_label'] = votes.argmax(1)
        return [{**{key: value[i] for key, value in samples.items()},
                 **{key: value[i] for key, value in columns.items()}}
                for i in range(len(points))]
