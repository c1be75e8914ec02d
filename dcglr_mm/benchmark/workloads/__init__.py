"""The kinds of work that can be measured, by name."""
from ..case import Workload
from . import data, features, networks, ops, training

# In float32 a maximum over near-equal values, and a first step of Adam by a near-zero gradient, may
# fall either way.
_NETWORK = dict(gradient=2e-2, student=5e-2)

WORKLOADS = {
    'knn': Workload(ops.knn, tolerance=1e-5),
    'fps': Workload(ops.farthest_point_sample, tolerance=0),
    'gather': Workload(ops.gather, tolerance=1e-6),
    'maximum': Workload(ops.maximum, tolerance=1e-6),
    'interpolate': Workload(ops.interpolate, tolerance=1e-4),
    'crop': Workload(ops.crop, tolerance=1e-6),
    'edge_conv': Workload(ops.edge_conv, tolerance=1e-3),
    'backbone': Workload(networks.backbone, tolerances=_NETWORK),
    'dcglr_step': Workload(training.dcglr_step, tolerances=_NETWORK),
    'views': Workload(data.pipeline, exact=False, tolerance=1e-3),
    'loader_fps': Workload(data.loader_fps, exact=False, tolerance=1e-5),
    'loader_crop': Workload(data.loader_crop, exact=False, tolerance=0),
    'features': Workload(features.feature_extraction, exact=False),
}

__all__ = ['WORKLOADS']
