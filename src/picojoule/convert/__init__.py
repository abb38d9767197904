"""From artificial to spiking networks, the numbers of a conversion, and other tools' networks."""

from picojoule.convert.batch_norm import fold_batch_norm
from picojoule.convert.compare import Comparison
from picojoule.convert.discretize import discretize
from picojoule.convert.discretize_plan import (
    DiscretizationPlan,
    LayerScale,
    plan_discretization,
)
from picojoule.convert.from_model import from_model
from picojoule.convert.network import Network
from picojoule.convert.nir import from_nir, to_nir
from picojoule.convert.normalize import normalize_weights
from picojoule.convert.replace import replace_module, replace_module_
from picojoule.convert.synops_scaling import SynopsScaling, scale_to_synops

__all__ = [
    "Comparison",
    "DiscretizationPlan",
    "LayerScale",
    "Network",
    "SynopsScaling",
    "discretize",
    "fold_batch_norm",
    "from_model",
    "from_nir",
    "normalize_weights",
    "plan_discretization",
    "replace_module",
    "replace_module_",
    "scale_to_synops",
    "to_nir",
]
