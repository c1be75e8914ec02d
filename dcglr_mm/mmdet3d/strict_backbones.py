"""Pre-trained weights of mmdet3d's own backbones are accounted for too."""
import functools
import inspect

from mmdet3d.models import backbones
from mmengine.model import BaseModule, initialize

from dcglr_mm.models.pretrained import pretrained_by_name, split_pretrained

#: Read images, or begin with the weights of an image network, whose classifier or stem they leave.
_OF_IMAGES = ('DLANet', 'NoStemRegNet')


def load_backbones_strictly() -> None:
    """Let ``Pretrained`` in the ``init_cfg`` of a backbone of mmdet3d account for every weight.

    That holds for every class that ``mmdet3d.models.backbones`` defines and for what derives from
    one; image backbones, mmdet's and those of mmdet3d, stay as they are. Safe to call again.
    """
    for name, cls in vars(backbones).items():
        ours = inspect.isclass(cls) and cls.__module__.startswith(f'{backbones.__name__}.')
        if not ours or name in _OF_IMAGES:
            continue
        if issubclass(cls, BaseModule) and 'strict_pretrained' not in vars(cls):
            cls.strict_pretrained = True
            cls.init_weights = _with_pretrained_last(cls.init_weights)


def _with_pretrained_last(init_weights):
    """``init_weights`` that loads pre-trained weights also where a class forgets about them.

    A class with an ``init_weights`` of its own, ``MinkResNet`` for one, does not read ``init_cfg``.
    """

    @functools.wraps(init_weights)
    def wrapper(self: BaseModule) -> None:
        self.init_cfg = pretrained_by_name(self.init_cfg)
        init_weights(self)
        if not self.is_init:
            initialize(self, split_pretrained(self.init_cfg)[0])
            self.is_init = True

    return wrapper
