"""Checkpoints as other authors' training code saves them."""
import argparse
import contextlib
import sys
import types
from collections import OrderedDict
from pathlib import Path

import numpy as np
import originals
import torch
from torch import nn


def parallel(network: nn.Module) -> dict:
    """State dict of a network in ``DataParallel``."""
    return OrderedDict((f'module.{key}', value) for key, value in network.state_dict().items())


def optimizer_state(network: nn.Module) -> dict:
    return torch.optim.AdamW(network.parameters()).state_dict()


@contextlib.contextmanager
def package(name: str, **members):
    """A package that is installed where a checkpoint is written, and not where it is read."""
    parts = name.split('.')
    names = ['.'.join(parts[:i + 1]) for i in range(len(parts))]
    for module in names:
        sys.modules.setdefault(module, types.ModuleType(module))
    for member in members.values():
        member.__module__ = name
        member.__qualname__ = member.__name__
        setattr(sys.modules[name], member.__name__, member)
    try:
        yield
    finally:
        for module in names:
            sys.modules.pop(module, None)


def save_strl(path: Path, online: nn.Module, target: nn.Module, old: bool = False,
              **arguments) -> Path:
    """Lightning's checkpoint, with classes of Lightning in it, in torch's old or new format."""
    AttributeDict = type('AttributeDict', (dict, ), {})
    ModelCheckpoint = type('ModelCheckpoint', (), {})
    networks = nn.ModuleDict(dict(target_network=target, online_network=online))
    with package('pytorch_lightning.utilities.parsing', AttributeDict=AttributeDict), package(
            'pytorch_lightning.callbacks.model_checkpoint', ModelCheckpoint=ModelCheckpoint):
        torch.save({
            'epoch': 60, 'global_step': 107760, 'pytorch-lightning_version': '0.9.0',
            'checkpoint_callback_best_model_score': torch.tensor(0.7221),
            'callbacks': {ModelCheckpoint: {'best_model_path': ''}},
            'optimizer_states': [optimizer_state(networks)],
            'state_dict': networks.state_dict(),
            'hparams_name': 'hparams',
            'hyper_parameters': AttributeDict({
                'network': 'DGCNN', 'emb_dims': 1024, 'optimizer.lr': 2e-4, **arguments}),
        }, path, _use_new_zipfile_serialization=not old)
    return path


def save_pos_bert(path: Path, teacher: nn.Module, student: nn.Module, **arguments) -> Path:
    """POS-BERT's checkpoint of two networks in ``DistributedDataParallel``."""
    dims = teacher.cls_token.shape[1]
    networks = {name: parallel(originals.with_dino_head(network, dims))
                for name, network in (('student', student), ('teacher', teacher))}
    torch.save({
        **networks,
        'optimizer': optimizer_state(student), 'epoch': 300,
        'args': argparse.Namespace(out_dim=512, mask_ratio=(0.2, 0.4), **arguments),
        'best_loss': 3.2, 'best_acc': np.float64(92.1),
        'dino_loss': OrderedDict(center=torch.zeros(1, 512), center2=torch.zeros(1, 1, 512)),
    }, path)
    return path
