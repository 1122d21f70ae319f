"""Looped Transformers doing gradient descent in context (arXiv 2410.11268)."""

from importlib.metadata import version as _version

from loopcore import baselines as baselines
from loopcore import models as models
from loopcore import reference as reference
from loopcore import tasks as tasks
from loopcore import theory as theory
from loopcore._attention import LoopedTransformer as LoopedTransformer
from loopcore._config import show_config as show_config
from loopcore._error_bound import error_bound as error_bound
from loopcore._fit import Fit as Fit
from loopcore._fit import fit as fit
from loopcore._looped_vjp import ModelGradient as ModelGradient
from loopcore._native import core as _core
from loopcore._spectrum import Spectrum as Spectrum
from loopcore._spectrum import spectrum as spectrum
from loopcore._vjp import Gradient as Gradient
from loopcore._vjp import vjp as vjp

# The compiled functions themselves: a Python wrapper would cost more than a small task.
DivergenceWarning = _core.DivergenceWarning
context_curve = _core.context_curve
errors = _core.errors
isa = _core.isa
run = _core.run
trajectory = _core.trajectory

__version__ = _version("loopcore")

__all__ = [
    "DivergenceWarning",
    "Fit",
    "Gradient",
    "LoopedTransformer",
    "ModelGradient",
    "Spectrum",
    "baselines",
    "context_curve",
    "error_bound",
    "errors",
    "fit",
    "isa",
    "models",
    "reference",
    "run",
    "show_config",
    "spectrum",
    "tasks",
    "theory",
    "trajectory",
    "vjp",
]
