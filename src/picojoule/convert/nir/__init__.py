"""Networks to and from NIR, the Neuromorphic Intermediate Representation: `picojoule[nir]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from picojoule.activation import ResetFunction, SpikeFunction
from picojoule.convert.foreign_hooks import warn_of_hooks
from picojoule.convert.nir.time_step import Discretisation
from picojoule.extras import extra

if TYPE_CHECKING:
    import nir

    from picojoule.convert.nir.targets import TargetName

__all__ = ["from_nir", "to_nir"]


def to_nir(
    module: nn.Module,
    sample_data: Tensor,
    model_name: str = "model",
    *,
    dt: float | None = None,
    discretisation: Discretisation | None = None,
    target: TargetName | None = None,
) -> nir.NIRGraph:
    r"""The NIR graph of a network; `nir.write(path, graph)` makes a file of it.

    NIR's neurons follow `tau dv/dt = v_leak - v + R I` in seconds. A layer that keeps `alpha` of its
    potential per step becomes `tau = dt / (1 - alpha)`, `R = 1 / (1 - alpha)`, or `R = 1` with
    `norm_input`: the numbers that Norse, snnTorch and SpikingJelly turn back into the same step of
    `dt`. With "exponential" it is `tau = -dt / log(alpha)`, the exact solution for event-driven targets.

    | layer | node |
    |---|---|
    | IAF | IF (r = 1: an input of 1 adds 1) |
    | LIF; with `tau_syn`; ExpLeak | LIF; CubaLIF; LI |
    | LIFRecurrent, IAFRecurrent, `rec_connect` an nn.Linear | NIRGraph of neuron and w_rec |
    | Linear, Conv1d, Conv2d, SumPool2d, AvgPool2d, Flatten | the same |
    | sums, Merge, Repeat, nested Sequentials | edges |
    | FlattenTime, UnflattenTime, Identity, Dropout | nothing |

    Squeezed layers are written like the others: NIR knows no axes of batch and time. What NIR has no field for
    (spike function, reset, surrogate, `min_v_mem`, `train_alphas`) goes into the nodes' metadata, which
    `from_nir` reads and other programs pass over: they fire once, above the threshold rather than at it, and
    reset to `v_reset`.

    Args:
        module: the network; it and its states stay as they are.
        sample_data: an input for it, which gives the shapes.
        model_name: name of the node if `module` is a single layer.
        dt: length of a time step in seconds; 1e-4, or what the target takes for given.
        discretisation: how a reader turns time constants into steps; "euler", or as the target does.
        target: a program whose reader turns the graph into the same spikes, or else the layer that it cannot read
            so is named. Picojoule reads such a graph, too.

            | target | reads |
            |---|---|
            | "norse" | `norse.torch.from_nir(graph, dt=1e-3)` |
            | "sinabs" | `sinabs.from_nir(graph, batch_size)`; several spikes a step, subtraction |
            | "snntorch" | `snntorch.import_nir.import_from_nir(graph)` |
            | "spikingjelly" | `spikingjelly.activation_based.nir_exchange.import_from_nir(graph, dt=1e-4)` |

    Raises:
        NotImplementedError: NIR, or the target, cannot carry it; the message names the layer and the attribute.
        ValueError: there is no such target, or it takes other time steps.
        ImportError: nir is not installed.

    Example:
        >>> import torch
        >>> from picojoule.layers import LIF
        >>> graph = to_nir(nn.Sequential(nn.Linear(2, 3), LIF(20.0)), torch.ones(1, 5, 2))
        >>> graph.edges
        [('input', '0'), ('0', '1'), ('1', 'output')]
        >>> graph.nodes["1"].tau.round(6).tolist()
        [0.00205, 0.00205, 0.00205]

    Source: Pedersen et al. 2024, Neuromorphic intermediate representation, Nature Communications 15.
    """
    with extra("nir"):
        from picojoule.convert.nir.targets import step_for, target_called
        from picojoule.convert.nir.write import graph_of
    reader = None if target is None else target_called(target)
    step = step_for(reader, dt, discretisation)
    changes = "the graph has other spikes than the network"
    warn_of_hooks(module, "to_nir", "part of the graph", changes, "nothing is lost")
    return graph_of(module, sample_data, model_name, step, reader)


def from_nir(
    node_or_path: nir.NIRNode | str | Path,
    batch_size: int | None = None,
    num_timesteps: int | None = None,
    *,
    dt: float | None = None,
    discretisation: Discretisation | None = None,
    spike_fn: SpikeFunction | type[SpikeFunction] | None = None,
    reset_fn: ResetFunction | None = None,
    fires_at_threshold: bool | None = None,
) -> nn.Module:
    """The network of a NIR graph or file: an ordinary module whose call returns a tensor.

    What `to_nir` wrote comes back exactly, in PyTorch's default dtype: for float64 call `torch.set_default_dtype` first. Other files are read by NIR's equations: neurons fire once a step,
    above the threshold, and go to `v_reset`; there is no lower bound of the potential (sinabs sets
    `min_v_mem = -threshold` on every IF), and `alpha` is the parameter of a leak. To have the spikes of the
    network that was written, say what its file does not:

    | written by | pass |
    |---|---|
    | snnTorch, `reset_mechanism="subtract"` (its default) | `reset_fn=MembraneSubtract(threshold / beta)`: it takes the threshold off a step later |
    | ..., with `reset_delay=False` | `reset_fn=MembraneSubtract()`: right while no potential reaches two thresholds |
    | snnTorch, "zero", `Leaky` | nothing, whatever its `reset_delay` |
    | ..., `Synaptic`, `RLeaky`, `RSynaptic` | `reset_fn=MembraneHold()`, as by default, with a warning: they stay at zero for a step |
    | ..., with `reset_delay=False` | `reset_fn=MembraneReset()` |
    | snnTorch, "none" | `reset_fn=MembraneSubtract(0.0)` |
    | SpikingJelly | `fires_at_threshold=True`, and the `dt` of its export if you gave one |
    | Norse, `to_nir(..., dt=dt)` | `dt=1e-3 * dt`, so 1e-6 for its default: it multiplies its time constants by dt |
    | Norse, LIFCell | also set `w_in = tau_syn / dt` (this dt) on the node: its export leaves it 1 |
    | sinabs | `dt=1.0, discretisation="exponential", fires_at_threshold=True, spike_fn=MultiSpike, reset_fn=MembraneSubtract()` |

    IF has no time constant: an input of 1 adds 1 if all its r are 1, as these programs mean it, otherwise `r * dt`.
    An input weight that a layer has no parameter for becomes a layer `<name>_input` that scales.

    Args:
        node_or_path: NIR graph, node, or path of a `.nir` file.
        batch_size: samples in the folded axis of squeezed layers, which take `(b t) *n`; with neither
            `batch_size` nor `num_timesteps` the layers take `b t *n`.
        num_timesteps: time steps in that axis, if the samples should follow from the input.
        dt: length of a time step in seconds; by default what the file says, or else 1e-4.
        discretisation: "euler" or "exponential"; by default what the file says, or else "euler".
        spike_fn: spike function of all neurons, in place of the file's word.
        reset_fn: what a spike does to the potential, for all neurons, in place of the file's word.
        fires_at_threshold: whether a potential equal to the threshold fires.

    Raises:
        ValueError: the file or graph is damaged or hostile (a field is missing, of the wrong shape or not finite, an
            edge leads nowhere, metadata are no metadata, data lie in other files or unfold beyond a limit, ...), or a
            time constant is not longer than `dt`; the message names file, node and field.
        NotImplementedError: the graph is sound, but a node or a cycle has no layer here; the message names it.
        FileNotFoundError: there is no such file.
        TypeError: it is no graph, node or path.
        ImportError: nir is not installed.

    Example:
        >>> import torch
        >>> from picojoule.layers import LIF
        >>> model = nn.Sequential(nn.Linear(2, 3), LIF(20.0))
        >>> from_nir(to_nir(model, torch.ones(1, 5, 2)), batch_size=1)
        Sequential(
          (0): Linear(in_features=2, out_features=3, bias=True)
          (1): LIFSqueeze(batch_size=1, tau_mem=20, spike_threshold=1, norm_input=True)
        )
    """
    with extra("nir"):
        from picojoule.convert.nir.read import module_of, read_graph, source_of, step_of
        from picojoule.convert.nir.read_neuron import ReadingOptions
    source = source_of(node_or_path)
    graph = read_graph(node_or_path)
    options = ReadingOptions(
        step_of(graph, dt, discretisation, source),
        {"batch_size": batch_size, "num_timesteps": num_timesteps},
        spike_fn,
        reset_fn,
        fires_at_threshold,
        source,
    )
    return module_of(graph, options)
