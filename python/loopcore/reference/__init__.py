"""The looped transformer as literal matrices: NumPy only, no cleverness.

Every fast path of loopcore is tested against this package. It builds the prompt, the weights and
the mask, multiplies them out loop by loop and reads the answer from the query row. It is slow on
purpose: a loop costs n² d, and nothing about the task is used to make it cheaper.

`run` and what it is made of are the paper's one construction (arXiv 2410.11268); `looped` and
`looped_trajectory` are the whole family that `loopcore.LoopedTransformer` describes.

All functions work on stacks of tasks: leading axes broadcast as in `numpy.matmul`. The arithmetic
is done in the type of the arrays that are given, `numpy.longdouble` included.
"""

from loopcore.reference._family import looped as looped
from loopcore.reference._family import looped_trajectory as looped_trajectory
from loopcore.reference._paper import adaptive_steps as adaptive_steps
from loopcore.reference._paper import attention as attention
from loopcore.reference._paper import chebyshev_order as chebyshev_order
from loopcore.reference._paper import loops as loops
from loopcore.reference._paper import prompt as prompt
from loopcore.reference._paper import query_mask as query_mask
from loopcore.reference._paper import read_out as read_out
from loopcore.reference._paper import run as run
from loopcore.reference._paper import singular_values as singular_values
from loopcore.reference._paper import step_sizes as step_sizes
from loopcore.reference._paper import trajectory as trajectory
from loopcore.reference._paper import weights as weights

__all__ = [
    "attention",
    "chebyshev_order",
    "looped",
    "looped_trajectory",
    "loops",
    "prompt",
    "query_mask",
    "read_out",
    "run",
    "singular_values",
    "step_sizes",
    "trajectory",
    "weights",
]
