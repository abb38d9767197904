"""Energy of neuromorphic chips, one profile a published source.

Figures marked "via" were read in a later paper or library that quotes the one named. What a chip's
authors call a synaptic operation differs from chip to chip, and Tang et al. print their table "for
high-level comparison" only.

Evidence, scope and voltage are those of the source where a note or the source itself was read; "vendor" is a
figure of the makers that a survey quotes without a word on how it was found. Whether a zero weight costs stands only
where a source says so: that a chip is event-driven does not tell.

To add a chip: an entry with its source, its line in tests/golden/energy_profiles.txt and its row in
docs/energy.md; the contract test says what is missing.
"""

from __future__ import annotations

from picojoule.energy.energy_profile import EnergyProfile

TANG = "Tang et al., Front. Neurosci., 2023, table 3, doi:10.3389/fnins.2023.1187252"
LOIHI = "Davies et al., IEEE Micro 38(1), 2018, doi:10.1109/MM.2018.112130359, via KerasSpiking"
HOEPPNER_2019 = "Hoeppner et al., IEEE TCAS-I 66(8), 2019, arXiv:1903.08941, via KerasSpiking"
ODIN = "Frenkel et al., IEEE TBioCAS 13(1), 2019, doi:10.1109/TBCAS.2018.2880425"
LOIHI_SYNAPSES = "it lists synapses in sparse formats, Davies et al., 2018"
TRUENORTH_CORE = "the zeros of its crossbar are ignored, Merolla et al., CICC, 2011"
SPINNAKER_ROWS = (
    "a spike fetches the list of its synapses, Rhodes et al., Front. Neurosci. 12:816, 2018"
)
ODIN_CROSSBAR = "each spike goes through all 256 synapses of its row, documentation of its source code, 2019, github.com/ChFrenkel/ODIN"
CHIP_SYNOP = "a synaptic operation as its authors count it; neuron updates not stated"


def _loihi(name: str, synop_j: float, includes: str) -> EnergyProfile:
    return EnergyProfile(
        name=name,
        synop_j=synop_j,
        neuron_update_j=81e-12,
        technology_nm=14,
        voltage_v=0.75,
        evidence="modelled",
        pre_silicon=True,
        scope="incremental",
        source=LOIHI,
        includes=includes,
        skips_zero_weights=True,
        zero_weights=LOIHI_SYNAPSES,
        note="a minimum, simulated before there was a chip",
    )


def _quoted(
    name: str, synop_j: float, source: str, nm: float | None = None, note: str = ""
) -> EnergyProfile:
    """A chip of the table of Tang et al., which gives energy per synaptic operation alone."""
    return EnergyProfile(
        name=name,
        synop_j=synop_j,
        technology_nm=nm,
        evidence="vendor",
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
    EnergyProfile(
        name="truenorth",
        synop_j=2.5e-12,
        technology_nm=28,
        evidence="measured",
        pre_silicon=False,
        scope="all-in",
        source=f"Akopyan et al., IEEE TCAD 34(10), 2015 (400 GSOPS/W), via {TANG}",
        includes=CHIP_SYNOP,
        skips_zero_weights=True,
        zero_weights=TRUENORTH_CORE,
        note="at the highest load; conflicts with truenorth-2014, ten times as much",
    ),
    EnergyProfile(
        name="truenorth-2014",
        synop_j=26e-12,
        technology_nm=28,
        voltage_v=0.775,
        evidence="measured",
        pre_silicon=False,
        scope="all-in",
        source="Merolla et al., Science 345, 2014, doi:10.1126/science.1254642",
        includes="a synaptic event as its authors count it, with all that the chip spends",
        skips_zero_weights=True,
        zero_weights=TRUENORTH_CORE,
        note="about 26 pJ, recalled; conflicts with truenorth, a tenth of it",
        verified=False,
    ),
    EnergyProfile(
        name="spinnaker",
        synop_j=13.3e-9,
        neuron_update_j=26e-9,
        technology_nm=130,
        evidence="measured",
        pre_silicon=False,
        scope="incremental",
        source=HOEPPNER_2019,
        includes="SynOp and neuron update on an ARM core",
        skips_zero_weights=True,
        zero_weights=SPINNAKER_ROWS,
        note="Tang et al. print 45 pJ (Stromatias et al., 2013), orders of magnitude less: not used",
    ),
    EnergyProfile(
        name="spinnaker2-2019",
        synop_j=450e-12,
        neuron_update_j=2.19e-9,
        technology_nm=28,
        evidence="measured",
        pre_silicon=False,
        scope="incremental",
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
    EnergyProfile(
        name="odin",
        synop_j=12.7e-12,
        technology_nm=28,
        voltage_v=0.55,
        evidence="measured",
        pre_silicon=False,
        scope="all-in",
        source=ODIN,
        includes="a synaptic operation as its authors count it, with all that the chip spends",
        skips_zero_weights=False,
        zero_weights=ODIN_CROSSBAR,
        note="the least of the chip; odin-incremental is one more operation without the rest",
    ),
    EnergyProfile(
        name="odin-incremental",
        synop_j=8.43e-12,
        technology_nm=28,
        voltage_v=0.55,
        evidence="measured",
        pre_silicon=False,
        scope="incremental",
        source=ODIN,
        includes="one more synaptic operation of a chip that runs anyway",
        skips_zero_weights=False,
        zero_weights=ODIN_CROSSBAR,
        note="recalled; odin is the same with all that the chip spends",
        verified=False,
    ),
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
        name="darwin3",
        synop_j=5.47e-12,
        technology_nm=22,
        evidence="measured",
        pre_silicon=False,
        source="Ma et al., National Science Review 11, nwae102, 2024, doi:10.1093/nsr/nwae102",
        includes=CHIP_SYNOP,
    ),
    EnergyProfile(
        name="seneca",
        synop_j=2.8e-12,
        technology_nm=22,
        evidence="modelled",
        pre_silicon=True,
        source=TANG,
        includes=CHIP_SYNOP,
    ),
    EnergyProfile(
        name="sne",
        synop_j=0.221e-12,
        evidence="modelled",
        pre_silicon=True,
        source="Di Mauro et al., DATE 2022, arXiv:2204.10687",
        includes="a synaptic operation of 4-bit event-based convolution as its authors count it, accelerator alone",
        note="the system around it takes far more: ColibriES needs 7.7 mJ per DVS-Gesture inference (arXiv:2302.07957)",
    ),
    EnergyProfile(
        name="speck",
        evidence="vendor",
        source="Yao et al., Nat. Commun. 15:4464, 2024; Richter et al., arXiv:2304.06793, 2023; sinabs' guide to training for Speck",
        includes="nothing: no energy per operation is published",
        limits="a highest number of SynOps per second and core, above which the chip stalls",
        note="the number is not published either: "
        "dataclasses.replace(profile('speck'), max_synops_per_second_per_core=yours). 0.42 mW resting",
    ),
)
