"""Figures: functions that take arrays and return a matplotlib figure."""
from .attention import plot_attention, spread_attention
from .camera import Camera, estimate_normals
from .clouds import draw_cloud, plot_clouds, plot_crops
from .comparison import plot_comparison
from .curves import plot_curves, plot_runs, plot_training_log, read_run, read_scalars
from .embedding import map_purity, plot_tsne, tsne_map
from .neighbors import nearest_shapes, plot_neighbors
from .point_features import pca_colors, plot_point_features
from .saving import check_ending, save_figure
from .segmentation import plot_parts, plot_segmentation
from .spectrum import log_spectrum, plot_spectrum
from .style import class_style, new_figure
from .summary import draw_scores, plot_summary

__all__ = [
    'Camera', 'check_ending', 'class_style', 'draw_cloud', 'draw_scores', 'estimate_normals',
    'log_spectrum', 'map_purity', 'nearest_shapes', 'new_figure', 'pca_colors',
    'plot_attention', 'plot_clouds', 'plot_comparison', 'plot_crops', 'plot_curves',
    'plot_neighbors',
    'plot_parts', 'plot_point_features', 'plot_runs', 'plot_segmentation', 'plot_spectrum',
    'plot_summary', 'plot_training_log', 'plot_tsne', 'read_run', 'read_scalars', 'save_figure',
    'spread_attention', 'tsne_map',
]
