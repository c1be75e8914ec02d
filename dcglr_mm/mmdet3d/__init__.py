"""What ties this package to mmdet3d, and the only part of it that imports mmcv or mmdet3d.

``custom_imports = dict(imports=['dcglr_mm', 'dcglr_mm.mmdet3d'])`` in a config registers all of it.
"""
try:
    import mmdet3d.models  # noqa: F401
except ImportError as error:
    raise ImportError(
        f'dcglr_mm.mmdet3d needs mmdet3d 1.4 with mmcv 2.1 and its compiled ops ({error}); install '
        'torch and requirements/dev.txt, build mmcv by "MMCV_WITH_OPS=1 pip install '
        "--no-build-isolation --no-cache-dir 'setuptools<81' mmcv==2.1.0\", then run "
        '"pip install -e .[mmdet3d]"; `make test` does all of it') from error

from .check_labels import CheckPointLabels
from .pack_seg import PackSegInputs
from .point_backbone import MMDet3DBackbone
from .room_seg_metric import RoomSegMetric
from .room_segmentor import RoomSegmentor
from .seed_item import SeedItem
from .strict_backbones import load_backbones_strictly

load_backbones_strictly()

__all__ = [
    'CheckPointLabels', 'MMDet3DBackbone', 'PackSegInputs', 'RoomSegMetric', 'RoomSegmentor',
    'SeedItem'
]
