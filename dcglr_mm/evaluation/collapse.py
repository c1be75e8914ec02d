"""Decide from a run's measures whether self-distillation is dead."""
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class CollapseLimits:
    """When a measure counts as that of a dead run, and for how long it has to.

    A DINO-like run starts close to some of these states. Centring removes what all samples share,
    so within the first iterations the teacher's outputs become nearly uniform, KL(teacher ||
    student) falls as the student follows, and the features of an untouched network differ little
    from shape to shape. So no verdict falls during the warm-up, every limit is far beyond what a
    living run shows at its start, and a limit has to be broken at every check for ``patience``
    iterations, three checks at least: one better check starts the count anew. Recorded runs of a
    48-wide 3D-ViT (tests/test_evaluation/collapse_traces.json) show the distance: living ones never
    had an information below 0.04 nats, an entropy above 99.5 % of log K after the first steps, a
    relative deviation below 0.2 or an effective rank below 1.3; a dead one fell below 0.001 nats
    within 60 iterations and stayed there.

    Attributes:
        warmup (int): Iterations, from the start of training, without a verdict.
        patience (int): Iterations after the warm-up that a symptom has to last.
        uniform_entropy (float): Teacher entropy above this share of log K is uniform ...
        uniform_kl (float): ... and, with KL in nats below this, nothing is left to learn from.
        information (float): Mutual information of sample and prototype, in nats, which is the
            entropy of the mean teacher output less the mean entropy: below this the output does not
            depend on the sample, be it uniform, sharp, or driven about by the centre.
        single_entropy (float): Entropy of the mean teacher output below this share of log K:
            every sample goes to one prototype.
        relative_std (float): Deviation of the features over the samples, divided by their root
            mean square: below this all samples have the same feature.
        effective_rank (float): Below this the features vary along one line.
    """
    warmup: int = 200
    patience: int = 300
    uniform_entropy: float = 0.9999
    uniform_kl: float = 1e-4
    information: float = 1e-3
    single_entropy: float = 1e-3
    relative_std: float = 1e-4
    effective_rank: float = 1.01

    def __post_init__(self) -> None:
        if self.warmup < 0 or self.patience < 0:
            raise ValueError('collapse limits: warmup and patience have to be 0 or more, found '
                             f'{self.warmup} and {self.patience}')


@dataclass(frozen=True)
class Symptom:
    """A measure beyond its limit.

    Attributes:
        name (str): What is wrong, a key of :data:`ADVICE`.
        finding (str): The measures with their limits.
    """
    name: str
    finding: str


ADVICE = {
    'non-finite loss':
        'Lower the learning rate or the gradient clip, warm up for longer, or leave --amp out; and '
        'check the data for NaN.',
    'uniform teacher':
        'Every teacher output is uniform and the student copies it: there is no gradient left. '
        'Lower the teacher temperature, raise the centre rate q (slower centre), lower the '
        'learning rate, or start the EMA lambda higher.',
    'one prototype':
        'The teacher gives every sample the same sharp output, and the student copies it. Lower '
        'the centre rate q (faster centre), raise the teacher temperature, or lower the learning '
        'rate.',
    'uninformative teacher':
        'The teacher gives all samples the same output, whatever the centre makes of it, so there '
        'is nothing to learn from. Start the EMA lambda higher (slower teacher), lower the '
        'learning rate or warm up for longer.',
    'constant features':
        'The backbone maps every shape to the same feature. Lower the learning rate or the weight '
        'decay, and check that the views of different shapes really differ.',
    'features on a line':
        'The features of all shapes lie on one line. Lower the learning rate or the weight decay, '
        'and check that the views of different shapes really differ.',
}


def find_symptoms(measures: dict[str, float], limits: CollapseLimits,
                  num_prototypes: int | None = None) -> list[Symptom]:
    """Return what is beyond its limit now.

    Args:
        measures (dict[str, float]): Any of ``loss``, ``teacher_entropy``,
            ``teacher_marginal_entropy``, ``teacher_student_kl``, ``teacher_information`` (nats),
            ``feature_relative_std``, ``effective_rank``. What is missing is not judged.
        limits (CollapseLimits): The limits.
        num_prototypes (int, optional): K; without it entropies are not judged.
    """
    symptoms = []
    loss = measures.get('loss')
    if loss is not None and not math.isfinite(loss):
        symptoms.append(Symptom('non-finite loss', f'the loss is {loss}'))
    if num_prototypes is not None and num_prototypes > 1:
        symptoms += _teacher_symptoms(measures, limits, math.log(num_prototypes))
    std, rank = measures.get('feature_relative_std'), measures.get('effective_rank')
    if std is not None and std < limits.relative_std:
        symptoms.append(Symptom(
            'constant features', f'the relative deviation of the features is {std:.3g} '
            f'(limit {limits.relative_std:g})'))
    elif rank is not None and rank < limits.effective_rank:
        symptoms.append(Symptom(
            'features on a line', f'the effective rank of the features is {rank:.4g} '
            f'(limit {limits.effective_rank:g})'))
    return symptoms


def _teacher_symptoms(measures: dict[str, float], limits: CollapseLimits,
                      uniform: float) -> list[Symptom]:
    symptoms = []
    entropy, kl = measures.get('teacher_entropy'), measures.get('teacher_student_kl')
    marginal = measures.get('teacher_marginal_entropy')
    if (entropy is not None and kl is not None and entropy > limits.uniform_entropy * uniform
            and kl < limits.uniform_kl):
        symptoms.append(Symptom(
            'uniform teacher', f'the teacher entropy is {entropy / uniform:.3%} of log K '
            f'(limit {limits.uniform_entropy:.3%}) and KL(teacher || student) is {kl:.3g} nats '
            f'(limit {limits.uniform_kl:g})'))
    if marginal is not None and marginal < limits.single_entropy * uniform:
        symptoms.append(Symptom(
            'one prototype', f'the entropy of the mean teacher output is '
            f'{marginal / uniform:.3%} of log K (limit {limits.single_entropy:.3%})'))
    information = measures.get('teacher_information')
    if information is not None and information < limits.information:
        symptoms.append(Symptom(
            'uninformative teacher', 'the mutual information of sample and prototype is '
            f'{information:.3g} nats (limit {limits.information:g})'))
    return symptoms


@dataclass
class _Spell:
    """How long a symptom has lasted."""
    since: int
    judged_since: int | None = None  # first check after the warm-up
    checks: int = 0


class CollapseDetector:
    """Notes how long each symptom has lasted.

    Args:
        limits (CollapseLimits): When a run is dead.
        num_prototypes (int, optional): K.
    """

    def __init__(self, limits: CollapseLimits, num_prototypes: int | None = None) -> None:
        self.limits = limits
        self.num_prototypes = num_prototypes
        self._spells: dict[str, _Spell] = {}

    def check(self, iteration: int, measures: dict[str, float],
              weights_are_finite: bool = True) -> str | None:
        """Take the measures of one check; return an explanation if training is dead.

        A symptom whose measures are absent from this check is neither confirmed nor ended. A loss
        that is not finite needs neither warm-up nor patience once the weights are not finite
        either: nothing mends them.

        Args:
            iteration (int): Training iterations done.
            measures (dict[str, float]): See :func:`find_symptoms`.
            weights_are_finite (bool): False if a weight of the model is NaN or infinite.
        """
        symptoms = find_symptoms(measures, self.limits, self.num_prototypes)
        found = {symptom.name for symptom in symptoms}
        for name, needed in _NEEDED.items():
            if name not in found and all(key in measures for key in needed):
                self._spells.pop(name, None)
        for symptom in symptoms:
            spell = self._spells.setdefault(symptom.name, _Spell(iteration))
            if symptom.name == 'non-finite loss' and not weights_are_finite:
                return _explain(symptom, spell, iteration, ' and so are weights of the model')
            if self._has_lasted(spell, iteration):
                return _explain(symptom, spell, iteration, f' at each of {spell.checks} checks')
        return None

    def _has_lasted(self, spell: _Spell, iteration: int) -> bool:
        if iteration <= self.limits.warmup:
            return False
        if spell.judged_since is None:
            spell.judged_since = iteration
        spell.checks += 1
        return (spell.checks >= _MIN_CHECKS
                and iteration - spell.judged_since >= self.limits.patience)


def _explain(symptom: Symptom, spell: _Spell, iteration: int, extent: str) -> str:
    return (f'training has collapsed ({symptom.name}) at iteration {iteration}: {symptom.finding}, '
            f'since iteration {spell.since}{extent}. {ADVICE[symptom.name]}')


_MIN_CHECKS = 3
_NEEDED = {
    'non-finite loss': ('loss', ),
    'uniform teacher': ('teacher_entropy', 'teacher_student_kl'),
    'one prototype': ('teacher_marginal_entropy', ),
    'uninformative teacher': ('teacher_information', ),
    'constant features': ('feature_relative_std', ),
    'features on a line': ('effective_rank', ),
}
