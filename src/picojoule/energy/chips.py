"""Energy of neuromorphic chips, one profile a published source.

Figures marked "via" were read in a later paper or library that quotes the one named. What a chip's
authors call a synaptic operation differs from chip to chip, and Tang et al. print their table "for
high-level comparison" only.

To add a chip: an entry with its source, its line in tests/golden/energy_profiles.txt and its row in
docs/energy.md; the contract test says what is missing.
"""

from __future__ import annotations

from picojoule.energy.energy_profile import EnergyProfile

TANG = "Tang et al., Front. Neurosci., 2023, table 3, doi:10.3389/fnins.2023.1187252"
LOIHI = "Davies et al., IEEE Micro 38(1), 2018, doi:10.1109/MM.2018.112130359, via KerasSpiking"
HOEPPNER_2019 = "Hoeppner et al., IEEE TCAS-I 66(8), 2019, arXiv:1903.08941, via KerasSpiking"
CHIP_SYNOP = "a synaptic operation as its authors count it; neuron updates not stated"


def _loihi(name: str, synop_j: float, includes: str) -> EnergyProfile:
    return EnergyProfile(
        name=name,
        synop_j=synop_j,
        neuron_update_j=81e-12,
        technology_nm=14,
        source=LOIHI,
        includes=includes,
    )


def _quoted(
    name: str, synop_j: float, source: str, nm: float | None = None, note: str = ""
) -> EnergyProfile:
    """A chip of the table of Tang et al., which gives energy per synaptic operation alone."""
    return EnergyProfile(
        name=name,
        synop_j=synop_j,
        technology_nm=nm,
        source=f"{source}, via {TANG}",
        includes=CHIP_SYNOP,
        note=note,
    )


CHIPS = (
    _loihi("loihi", 23.6e-12, "SynOp without routing; neuron updates apart"),
    _loihi(
        "loihi-routed",
        27.1e-12,
        "SynOp with 3.5 pJ of routing (KerasSpiking's sum); neuron updates apart",
    ),
    _quoted(
        "truenorth",
        2.5e-12,
        "Akopyan et al., IEEE TCAD 34(10), 2015 (400 GSOPS/W)",
        nm=28,
        note="conflicts with truenorth-2014, ten times as much",
    ),
    EnergyProfile(
        name="truenorth-2014",
        synop_j=26e-12,
        technology_nm=28,
        source="Merolla et al., Science 345, 2014, doi:10.1126/science.1254642",
        includes="a synaptic event as its authors count it",
        note="about 26 pJ, recalled; conflicts with truenorth, a tenth of it",
        verified=False,
    ),
    EnergyProfile(
        name="spinnaker",
        synop_j=13.3e-9,
        neuron_update_j=26e-9,
        technology_nm=130,
        source=HOEPPNER_2019,
        includes="SynOp and neuron update on an ARM core",
        note="Tang et al. print 45 pJ (Stromatias et al., 2013), orders of magnitude less: not used",
    ),
    EnergyProfile(
        name="spinnaker2-2019",
        synop_j=450e-12,
        neuron_update_j=2.19e-9,
        technology_nm=28,
        source=HOEPPNER_2019,
        includes="SynOp and neuron update on an ARM core of the test chip",
        note="conflicts with spinnaker2-2021, a 45th of it",
    ),
    _quoted(
        "spinnaker2-2021",
        10e-12,
        "Hoeppner et al., arXiv:2103.08392, 2021",
        nm=22,
        note="conflicts with spinnaker2-2019, 45 times as much",
    ),
    _quoted("odin", 12.7e-12, "Frenkel et al., IEEE TBioCAS, 2019", nm=28),
    _quoted("reckon", 5.3e-12, "Frenkel and Indiveri, ISSCC 2022, arXiv:2208.09759", nm=28),
    _quoted(
        "ubrain",
        26e-12,
        "Stuijt et al., Front. Neurosci. 15:664208, 2021, doi:10.3389/fnins.2021.664208",
        nm=40,
    ),
    _quoted("tianjic", 1.54e-12, "Deng et al., 2020"),
    _quoted("neuronflow", 20e-12, "Moreira et al., 2020"),
    EnergyProfile(
        name="seneca",
        synop_j=2.8e-12,
        technology_nm=22,
        source=TANG,
        includes=CHIP_SYNOP,
    ),
    EnergyProfile(
        name="sne",
        synop_j=0.221e-12,
        source="Di Mauro et al., DATE 2022, arXiv:2204.10687",
        includes="a synaptic operation of 4-bit event-based convolution, accelerator alone",
        note="the system around it takes far more: ColibriES needs 7.7 mJ per DVS-Gesture inference (arXiv:2302.07957)",
    ),
    EnergyProfile(
        name="speck",
        source="Yao et al., Nat. Commun. 15:4464, 2024; Richter et al., arXiv:2304.06793, 2023; sinabs' guide to training for Speck",
        includes="nothing: no energy per operation is published",
        limits="a highest number of SynOps per second and core, above which the chip stalls",
        note="the number is not published either: "
        "dataclasses.replace(profile('speck'), max_synops_per_second_per_core=yours). 0.42 mW resting",
    ),
)
