"""Every source of weights, by name, the most telling first."""
from .dgcnn import DGCNNSource
from .dgcnn_seg import DGCNNSegSource
from .pct import PCTSource
from .pointnet import PointNetSource
from .pos_bert import POSBERTSource
from .source import Source
from .strl import STRLPointNetSource, STRLSegSource, STRLSource

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (STRLSource(), STRLSegSource(), STRLPointNetSource(), POSBERTSource(),
                   PCTSource(), DGCNNSource(), DGCNNSegSource(), PointNetSource())
}
