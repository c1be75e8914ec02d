"""A backbone and a head that name the part of each point of a shape."""
from mmengine.model import BaseModel
from torch import Tensor

from dcglr_mm.registry import MODELS


@MODELS.register_module()
class PartSegmentor(BaseModel):
    """Segments shapes of known category into parts, from scratch or from pre-trained weights.

    The category is an input, in training and in prediction, as in PointNet's and DGCNN's protocol.
    Pre-trained weights are loaded by the backbone's own
    ``init_cfg=dict(type='Pretrained', prefix='teacher.backbone.', checkpoint=...)``.

    Args:
        backbone (dict): Config of a :class:`PointBackbone` with per-point features.
        head (dict): Config of the head; ``in_channels`` is filled in from the backbone.
        data_preprocessor (dict, optional): Default: MMEngine's, which moves a batch to the device.
        init_cfg (dict | list, optional): MMEngine's initialisation config.

    Raises:
        TypeError: If the backbone has no features of points.
    """

    def __init__(self,
                 backbone: dict,
                 head: dict,
                 data_preprocessor: dict | None = None,
                 init_cfg: dict | list | None = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        channels = getattr(self.backbone, 'point_channels', None)
        if not isinstance(channels, int):
            raise TypeError(f'{type(self.backbone).__name__} says no point_channels, so it has no '
                            'features of points')
        self.head = MODELS.build({**head, 'in_channels': channels})

    @property
    def part_counts(self) -> tuple[int, ...]:
        """Parts of each category that the head tells apart."""
        return self.head.part_counts

    def extract_feat(self, points: Tensor) -> Tensor:
        """Return the backbone's features of points (B, N, D) of clouds (B, N, C)."""
        return self.backbone.forward_points(points)

    def forward(self,
                inputs: dict[str, Tensor],
                data_samples: dict | None = None,
                mode: str = 'tensor') -> dict[str, Tensor] | Tensor | list[dict]:
        """MMEngine's entry point.

        Args:
            inputs (dict[str, Tensor]): ``points`` of shape (B, N, C).
            data_samples (dict): ``gt_label`` (B,), the categories, and, for the loss,
                ``pts_semantic_mask`` (B, N), the parts.
            mode (str): ``'loss'`` for the losses, ``'tensor'`` for logits (B, N, K), ``'predict'``
                for one dict a shape, see :meth:`predict`.

        Raises:
            ValueError: If ``mode`` is unknown, or points, categories or parts are missing.
        """
        if mode not in ('loss', 'tensor', 'predict'):
            raise ValueError(f"mode must be 'loss', 'tensor' or 'predict', got {mode!r}")
        points = _get(inputs, 'inputs', 'points')
        samples = data_samples or {}
        category = _get(samples, 'data_samples', 'gt_label')
        if mode == 'predict':
            return self.predict(points, samples)
        if mode == 'loss':
            parts = _get(samples, 'data_samples', 'pts_semantic_mask')
            return self.head.loss(self.extract_feat(points), category, parts)
        return self.head(self.extract_feat(points), category)

    def predict(self, points: Tensor, data_samples: dict) -> list[dict]:
        """Name the parts of shapes (B, N, C).

        Args:
            points (Tensor): The shapes.
            data_samples (dict): ``gt_label`` (B,), the categories; all is copied into the result.

        Returns:
            list[dict]: For each shape ``pred_pts_semantic_mask`` (N,), the likeliest part of its
            category at each point, and its entries of ``data_samples``.
        """
        category = data_samples['gt_label']
        parts = self.head.predict(self.extract_feat(points), category)
        return [{**{key: value[i] for key, value in data_samples.items()},
                 'pred_pts_semantic_mask': parts[i]} for i in range(len(points))]


def _get(batch: dict, name: str, key: str) -> Tensor:
    if key not in batch:
        raise ValueError(f'PartSegmentor reads {name}[{key!r}], found only {sorted(batch)}; does '
                         'the data set have categories and parts, as ShapeNetPart has?')
    return batch[key]
