"""mmcv's CUDA-only point ops on the CPU: import this module and stock mmdet3d models need no GPU.

In a config: ``custom_imports = dict(imports=['dcglr_mm.mmdet3d.cpu_ops'])``. On CPU tensors the ops
then compute what mmcv's CUDA kernels compute, in torch; on other devices, and where mmcv has a CPU
kernel itself, mmcv's own run.
"""
from .patch import install, is_installed, stock_ops, uninstall

__all__ = ['install', 'is_installed', 'stock_ops', 'uninstall']

install()
