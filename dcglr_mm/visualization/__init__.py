"""Figures: functions that take arrays and return a matplotlib figure."""
from .camera import Camera, estimate_normals
from .clouds import draw_cloud, plot_clouds, plot_crops
from .curves import plot_curves, plot_training_log, read_scalars
from .embedding import plot_tsne, tsne_map
from .segmentation import plot_segmentation
from .style import class_style, new_figure, save_figure
from .summary import draw_scores, plot_summary

__all__ = [
    'Camera', 'class_style', 'draw_cloud', 'draw_scores', 'estimate_normals',
    'new_figure', 'plot_clouds', 'plot_crops', 'plot_curves', 'plot_segmentation',
    'plot_summary', 'plot_training_log', 'plot_tsne', 'read_scalars', 'save_figure', 'tsne_map',
]
