"""Every source of weights, by name, the most telling first."""
from .dgcnn import DGCNNSource
from .dgcnn_seg import DGCNNSegSource
from .pct import PCTSource
from .pos_bert import POSBERTSource
from .source import Source
from .strl import STRLSegSource, STRLSource

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (STRLSource(), STRLSegSource(), POSBERTSource(), PCTSource(), DGCNNSource(),
                   DGCNNSegSource())
}
