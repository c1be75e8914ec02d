from .checkpoint_hook import SafeCheckpointHook
from .collapse_monitor_hook import CollapseMonitorHook, TrainingCollapsed
from .epoch_seed_hook import EpochSeedHook
from .figure_hook import FigureHook
from .finite_loss_hook import FiniteLossHook
from .label_check_hook import LabelCheckHook
from .last_layer_freeze_hook import LastLayerFreezeHook
from .linear_svm_hook import LinearSVMHook
from .progress_hook import ProgressHook
from .teacher_update_hook import TeacherUpdateHook

__all__ = ['CollapseMonitorHook', 'EpochSeedHook', 'FigureHook', 'FiniteLossHook',
           'LabelCheckHook', 'LastLayerFreezeHook', 'LinearSVMHook', 'ProgressHook',
           'SafeCheckpointHook', 'TeacherUpdateHook', 'TrainingCollapsed']
