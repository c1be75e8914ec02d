"""DCGLR with a term on masked patches."""
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dcglr_mm.registry import MODELS

from ..backbones.vit3d import ViT3D
from ..layers.mask_token import MaskToken, draw_block_mask
from ..ops import gather_points
from .center import Center
from .dcglr import DCGLR


@MODELS.register_module()
class PatchDCGLR(DCGLR):
    """DCGLR and, for 3D-ViT, iBOT's masked patch prediction on the global views.

    The student sees each global view once more, without a block of its patches, and has to give
    the teacher's outputs for them; the projector is shared with the class token, as in iBOT. This
    is not part of the paper. It costs one more pass of each network over the global views. The
    backbone's weights and their names are those of DCGLR.

    Args:
        backbone (dict): Config of a :class:`ViT3D`.
        projector (dict | None): As in :class:`DCGLR`.
        patch_loss (dict | None): Config of the loss. Defaults to :class:`PatchDistillationLoss`.
        mask_ratio (Sequence[float]): Range of the share of masked patches. Defaults to (0.2, 0.4),
            POS-BERT's.
        center_rate (float): q of Eq. 9, for class tokens and patches, which have a centre each.
        **kwargs: Those of :class:`DCGLR`.

    Raises:
        TypeError: If the backbone is not a :class:`ViT3D`.
        ValueError: If ``mask_ratio`` is not a range within (0, 1].
    """

    def __init__(self,
                 backbone: dict,
                 projector: dict | None = None,
                 patch_loss: dict | None = None,
                 mask_ratio: Sequence[float] = (0.2, 0.4),
                 center_rate: float = 0.9,
                 **kwargs) -> None:
        super().__init__(backbone, projector, center_rate=center_rate, **kwargs)
        network = self.student['backbone']
        if not isinstance(network, ViT3D):
            raise TypeError('PatchDCGLR needs a backbone of patches, ViT3D, got '
                            f'{type(network).__name__}')
        if len(mask_ratio) != 2 or not 0 < mask_ratio[0] <= mask_ratio[1] <= 1:
            raise ValueError(f'mask_ratio must be a range within (0, 1], got {mask_ratio}')
        self.mask_ratio = tuple(mask_ratio)
        self.mask_token = MaskToken(network.cls_token.shape[-1])
        self.patch_loss = MODELS.build(patch_loss or dict(type='dcglr_mm.PatchDistillationLoss'))
        self.patch_center = Center(self.student['projector'].out_channels, center_rate)

    def loss(self,
             inputs: dict[str, Tensor],
             data_samples: dict | None = None) -> dict[str, Tensor]:
        """Losses of one batch of views, see :meth:`DCGLR.loss`, and ``loss_patch``."""
        losses = super().loss(inputs, data_samples)
        clouds = self.views_of(inputs)['global'].flatten(0, 1)  # (I B, N, C)
        teacher, student = self.teacher['backbone'], self.student['backbone']
        with torch.no_grad():
            tokens, patches = teacher.embed(clouds)
            teacher_logits = _patch_logits(self.teacher, tokens)
        centers = gather_points(clouds[..., :3], patches.center_index)  # (I B, S, 3)
        mask = draw_block_mask(centers, self.mask_ratio)
        tokens, _ = student.embed(clouds, patches)
        visible = self.mask_token(tokens[:, 1:], centers, mask)
        student_logits = _patch_logits(self.student, torch.cat((tokens[:, :1], visible), 1))
        if self.training:
            self.patch_center.observe(teacher_logits)
        return losses | self.patch_loss(
            teacher_logits, student_logits, mask, self.patch_center.value)

    def update_center(self) -> None:
        super().update_center()
        self.patch_center.update()

    def after_skipped_step(self) -> None:
        super().after_skipped_step()
        self.patch_center.discard()


def _patch_logits(network: nn.ModuleDict, tokens: Tensor) -> Tensor:
    """The projector's outputs for all tokens but the first, ``(B, S, K)``."""
    backbone = network['backbone']
    return network['projector'](backbone.head(backbone.encode(tokens)[:, 1:]))
