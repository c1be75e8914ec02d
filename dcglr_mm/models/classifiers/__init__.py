from .point_classifier import PointClassifier
from .voting import Voting

__all__ = ['PointClassifier', 'Voting']
