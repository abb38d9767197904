"""From artificial to spiking networks, the numbers of a conversion, and other tools' networks."""

from picojoule.convert.batch_norm import fold_batch_norm
from picojoule.convert.discretize import discretize
from picojoule.convert.discretize_plan import (
    DiscretizationPlan,
    LayerScale,
    plan_discretization,
)
from picojoule.convert.nir import from_nir, to_nir
from picojoule.convert.normalize import normalize_weights
from picojoule.convert.synops_scaling import SynopsScaling, scale_to_synops

__all__ = [
    "DiscretizationPlan",
    "LayerScale",
    "SynopsScaling",
    "discretize",
    "fold_batch_norm",
    "from_nir",
    "normalize_weights",
    "plan_discretization",
    "scale_to_synops",
    "to_nir",
]
