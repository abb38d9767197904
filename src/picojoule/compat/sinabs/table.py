"""Which object of Picojoule stands for which name of sinabs 3.1.3: the whole of the mapping.

`MODULES` has an entry for each module path of sinabs that is not hardware; the entry says where each
of its names lives, as `module:attribute`. What is not listed is not there; docs/compat.md says why.
"""

from __future__ import annotations

VERSION = "3.1.3"


def _from(place: str, *names: str) -> dict[str, str]:
    return {name: f"{place}:{name}" for name in names}


_HERE = "picojoule.compat.sinabs"

_QUANTIZE = _from("picojoule.activation", "Quantize", "StochasticRounding")
_RESET = _from("picojoule.activation", "MembraneReset", "MembraneSubtract")
_SPIKES = _from("picojoule.activation", "MaxSpike", "MultiSpike", "SingleSpike")
_SURROGATES = _from(
    "picojoule.activation",
    "Gaussian",
    "Heaviside",
    "MultiGaussian",
    "PeriodicExponential",
    "SingleExponential",
)

_ALIF = _from("picojoule.layers", "ALIF", "ALIFRecurrent")
_CHANNEL_SHIFT = _from("picojoule.layers", "ChannelShift")
_CROP = _from("picojoule.layers", "Cropping2dLayer")
_EXP_LEAK = _from("picojoule.layers", "ExpLeak", "ExpLeakSqueeze")
_IAF = _from("picojoule.layers", "IAF", "IAFRecurrent", "IAFSqueeze")
_LIF = _from("picojoule.layers", "LIF", "LIFRecurrent", "LIFSqueeze")
_MERGE = _from("picojoule.layers", "Merge")
_RELU = _from("picojoule.layers", "NeuromorphicReLU")
_POOL = _from("picojoule.layers", "SpikingMaxPooling2dLayer", "SumPool2d")
_QUANTIZE_LAYER = _from("picojoule.layers", "QuantizeLayer")
_RESHAPE = _from("picojoule.layers", "FlattenTime", "Repeat", "SqueezeMixin", "UnflattenTime")
_STATEFUL = _from("picojoule.layers", "StatefulLayer")
_TO_SPIKE = _from("picojoule.layers", "Img2SpikeLayer", "Sig2SpikeLayer")

_FUNCTIONAL_ALIF = _from(f"{_HERE}.functional_alif", "alif_forward", "alif_recurrent")
_FUNCTIONAL_LIF = _from(f"{_HERE}.functional_lif", "lif_forward", "lif_recurrent")

_COUNTERS = _from(f"{_HERE}.synopcounter", "SNNAnalyzer", "SynOpCounter")
_WHOLE_MODEL = _from("picojoule.layers", "reset_states", "set_batch_size", "zero_grad")
_SPECK = _from(f"{_HERE}.speck_memory", "validate_memory_mapping_speck")
_SPECK_LAYER = _from(f"{_HERE}.speck_memory", "ValidateMapping")
_CONVERSION = _from("picojoule.convert", "replace_module", "replace_module_")
_FROM_MODEL = _from(f"{_HERE}.from_torch", "from_model")
_NETWORK = _from("picojoule.convert", "Network")
_NIR = _from(f"{_HERE}.nir", "from_nir", "to_nir")

MODULES: dict[str, dict[str, str]] = {
    "sinabs": {
        "__version__": f"{_HERE}.table:VERSION",
        **_COUNTERS,
        **_WHOLE_MODEL,
        **_SPECK,
        **_SPECK_LAYER,
        **_FROM_MODEL,
        **_NETWORK,
        **_NIR,
    },
    "sinabs.activation": {**_QUANTIZE, **_RESET, **_SPIKES, **_SURROGATES},
    "sinabs.activation.quantize": _QUANTIZE,
    "sinabs.activation.reset_mechanism": _RESET,
    "sinabs.activation.spike_generation": {
        **_SPIKES,
        **_from(f"{_HERE}.backward_class", "BackwardClass"),
    },
    "sinabs.activation.surrogate_gradient_fn": _SURROGATES,
    "sinabs.cnnutils": _from(
        f"{_HERE}.cnnutils",
        "compute_padding",
        "compute_same_padding_size",
        "conv_output_size",
        "infer_output_shape",
    ),
    "sinabs.conversion": _CONVERSION,
    "sinabs.from_torch": _FROM_MODEL,
    "sinabs.hooks": {
        **_from(
            "picojoule.hooks",
            "ModelSynopsHook",
            "conv_connection_map",
            "conv_layer_synops_hook",
            "firing_rate_hook",
            "firing_rate_per_neuron_hook",
            "get_hook_data_dict",
            "input_diff_hook",
            "linear_layer_synops_hook",
        ),
        **_from(f"{_HERE}.hooks", "register_synops_hooks"),
    },
    "sinabs.layers": {
        **_ALIF,
        **_CHANNEL_SHIFT,
        **_CROP,
        **_EXP_LEAK,
        **_IAF,
        **_LIF,
        **_MERGE,
        **_RELU,
        **_POOL,
        **_QUANTIZE_LAYER,
        **_RESHAPE,
        **_STATEFUL,
        **_TO_SPIKE,
    },
    "sinabs.layers.alif": {**_ALIF, **_from("picojoule.layers", "ALIFSqueeze")},
    "sinabs.layers.channel_shift": _CHANNEL_SHIFT,
    "sinabs.layers.crop2d": _CROP,
    "sinabs.layers.exp_leak": _EXP_LEAK,
    "sinabs.layers.functional": {**_FUNCTIONAL_ALIF, **_FUNCTIONAL_LIF},
    "sinabs.layers.functional.alif": {
        **_FUNCTIONAL_ALIF,
        **_from(f"{_HERE}.functional_alif", "alif_forward_single"),
    },
    "sinabs.layers.functional.lif": {
        **_FUNCTIONAL_LIF,
        **_from(f"{_HERE}.functional_lif", "lif_forward_single"),
    },
    "sinabs.layers.iaf": _IAF,
    "sinabs.layers.lif": _LIF,
    "sinabs.layers.merge": _MERGE,
    "sinabs.layers.neuromorphic_relu": _RELU,
    "sinabs.layers.pool2d": _POOL,
    "sinabs.layers.quantize": _QUANTIZE_LAYER,
    "sinabs.layers.reshape": _RESHAPE,
    "sinabs.layers.stateful_layer": _STATEFUL,
    "sinabs.layers.to_spike": _TO_SPIKE,
    "sinabs.network": _NETWORK,
    "sinabs.nir": {**_NIR, **_from(f"{_HERE}.nir", "_as_pair")},
    "sinabs.synopcounter": _COUNTERS,
    "sinabs.utils": {
        **_WHOLE_MODEL,
        **_SPECK,
        **_from(
            f"{_HERE}.utils",
            "collapse_pair",
            "expand_to_pair",
            "get_batch_size",
            "get_new_index",
            "get_num_timesteps",
            "get_smallest_compatible_time_dimension",
        ),
        **_from("picojoule.convert", "normalize_weights"),
        **_from(f"{_HERE}.activations", "get_activations", "get_network_activations"),
    },
    "sinabs.validate_memory_speck": _SPECK_LAYER,
}

_EXODUS_LAYERS = {**_IAF, **_LIF, **_EXP_LEAK}
EXODUS: dict[str, dict[str, str]] = {
    "sinabs.exodus": {"__version__": f"{_HERE}.exodus:VERSION"},
    "sinabs.exodus.conversion": _from(
        f"{_HERE}.exodus", "exodus_to_sinabs", "module_map", "sinabs_to_exodus"
    ),
    "sinabs.exodus.layers": _EXODUS_LAYERS,
    "sinabs.exodus.layers.exp_leak": _EXP_LEAK,
    "sinabs.exodus.layers.iaf": _IAF,
    "sinabs.exodus.layers.lif": _LIF,
}
"""The modules of sinabs-exodus, a package of its own, that scripts import."""

SIGNED_SYNOPS: dict[str, dict[str, str]] = {
    "sinabs.hooks": {
        **MODULES["sinabs.hooks"],
        **_from(
            f"{_HERE}.signed_hooks",
            "conv_layer_synops_hook",
            "input_diff_hook",
            "linear_layer_synops_hook",
            "register_synops_hooks",
        ),
    }
}
"""What stands in for `MODULES` where SynOps are to be counted with the sign of the inputs."""
