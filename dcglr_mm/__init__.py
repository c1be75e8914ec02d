"""DCGLR: self-supervised pre-training of point-cloud networks for the OpenMMLab stack."""
from .compat import allow_config_inheritance, allow_mmengine_checkpoints

__version__ = '0.1.0'

allow_mmengine_checkpoints()
allow_config_inheritance()

__all__ = ['__version__']
