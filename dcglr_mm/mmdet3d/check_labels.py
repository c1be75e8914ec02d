"""Labels of mmdet3d's room files that cannot be right are named with their file."""
import numpy as np

from dcglr_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CheckPointLabels:
    """Makes sure that a room has one label a point, and that each is one that the data set knows.

    mmdet3d does not ask: a label above the classes ends a training with an index error, is silently
    left out of a score, and a negative one is taken for another class. Goes behind
    ``LoadAnnotations3D`` in a pipeline of ``S3DISSegDataset`` and its like.
    """

    def __call__(self, results: dict) -> dict:
        """Hands the results on.

        Raises:
            ValueError: Naming the file, what was found and what was expected.
        """
        labels = np.asarray(results['pts_semantic_mask'])
        file = results.get('pts_semantic_mask_path', f'sample {results.get("sample_idx")}')
        points = results['points'].shape[0]
        if labels.shape != (points, ):
            raise ValueError(f'{file}: {len(labels)} labels for the {points} points of '
                             f'{results.get("lidar_path", "the room")}; expected one each')
        known = len(results['seg_label_mapping'])  # the last stands for points without a class
        wrong = (labels < 0) | (labels >= known)
        if wrong.any():
            raise ValueError(f'{file}: label {labels[wrong][0]} of point {int(wrong.argmax())}; '
                             f'expected 0 to {known - 1}')
        return results

    def __repr__(self) -> str:
        return 'CheckPointLabels()'
