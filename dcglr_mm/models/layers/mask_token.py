"""Masked patches: which, and what stands in for them."""
import torch
from torch import Tensor, nn

from ..ops import gather_points


class MaskToken(nn.Module):
    """A learnt token plus the position of the patch that it stands for.

    3D-ViT has no positional embedding: a token knows its place by the points it saw. One that saw
    none is told the patch's centroid, by a small MLP as in POS-BERT.

    Args:
        dims: Width of the tokens.
        hidden_dims: Width of the MLP. Defaults to 128, POS-BERT's.
    """

    def __init__(self, dims: int, hidden_dims: int = 128) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(dims))
        self.position = nn.Sequential(
            nn.Linear(3, hidden_dims), nn.GELU(), nn.Linear(hidden_dims, dims))
        nn.init.trunc_normal_(self.token, std=0.02)

    def forward(self, tokens: Tensor, centers: Tensor, mask: Tensor) -> Tensor:
        """Replaces masked tokens.

        Args:
            tokens: Tokens of the patches (B, S, D).
            centers: Centroids of the patches (B, S, 3).
            mask: Which to replace, bool (B, S).
        """
        stand_in = (self.token + self.position(centers)).to(tokens.dtype)
        return torch.where(mask[..., None], stand_in, tokens)


def draw_block_mask(centers: Tensor, ratio: tuple[float, float]) -> Tensor:
    """Masks the patches nearest to a random one (Point-BERT's block masking).

    Patches overlap, so that single masked ones could be read off their neighbours.

    Args:
        centers: Centroids of the patches (B, S, 3).
        ratio: Range of the uniform share of a cloud's patches that is masked; at least one is.

    Returns:
        bool (B, S).
    """
    batch, num_patches = centers.shape[:2]
    share = torch.empty(batch, 1, device=centers.device).uniform_(*ratio)
    count = (share * num_patches).int().clamp_(min=1)
    seed = torch.randint(num_patches, (batch, 1), device=centers.device)
    distance = (centers - gather_points(centers, seed)).square().sum(-1)  # (B, S)
    rank = distance.argsort(dim=1, stable=True).argsort(dim=1)
    return rank < count


__all__ = ['MaskToken', 'draw_block_mask']
