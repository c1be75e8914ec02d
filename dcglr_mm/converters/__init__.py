"""Weights of other authors for our backbones, and ours for their networks."""
from .exporting import ExportedWeights, export_weights
from .importing import ImportedWeights, import_weights
from .report import Report
from .sources import SOURCES
from .writing import check_two_files, config_text, save

__all__ = ['SOURCES', 'ExportedWeights', 'ImportedWeights', 'Report', 'check_two_files',
           'config_text', 'export_weights', 'import_weights', 'save']
