"""What metrics share that note a few numbers for each sample."""
from itertools import chain, zip_longest

from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric


class SampleMetric(BaseMetric):
    """Base of metrics in which every sample counts once, on any number of ranks.

    A subclass gives ``process``, which appends one small dict a sample to ``self.results``, and
    ``compute_metrics``, which gets those of all samples in order and returns the metrics without
    the prefix. Samples by which a sampler fills up the ranks' shares are left out, and shares of
    different length are allowed, as long as item ``i`` is worked off by rank ``i`` of W modulo W,
    as MMEngine's ``DefaultSampler`` deals them out.

    Args:
        prefix (str, optional): Put before the names, with a slash.
        collect_device (str): Not used: what is gathered are a few numbers.
    """

    def __init__(self, prefix: str | None = None, collect_device: str = 'cpu') -> None:
        super().__init__(collect_device, prefix='unused')  # MMEngine warns of a metric without one
        self.prefix = prefix

    def evaluate(self, size: int) -> dict[str, float]:
        """Return the metrics of the whole split, the same on every rank.

        Args:
            size: Samples of the split.

        Raises:
            ValueError: No sample was processed, or fewer than ``size``.
        """
        shares = all_gather_object(self.results)
        # Item i was rank i's, modulo the number of ranks; MMEngine's own collection would drop the
        # end of longer shares.
        in_order = chain.from_iterable(zip_longest(*shares))
        results = [result for result in in_order if result is not None][:size]
        self.results = []
        if not results or len(results) < size:
            raise ValueError(f'{type(self).__name__}: {len(results)} of {size} samples were scored')
        metrics = self.compute_metrics(results)
        return {f'{self.prefix}/{key}' if self.prefix else key: value
                for key, value in metrics.items()}

    def class_name(self, label: int) -> str:
        """Name of a class by the data set's meta information, or its number."""
        classes = (self.dataset_meta or {}).get('classes') or ()
        return classes[label] if label < len(classes) else str(label)
