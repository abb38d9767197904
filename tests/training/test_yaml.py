"""Settings are read one way, whatever a file holds; what is wrong is one kind of error with file, line and name."""

import math
from pathlib import Path

import pytest

from picojoule.training import ConfigError, TrainConfig
from picojoule.training.files.yaml_file import read_settings, write_yaml
from picojoule.training.settings.stated import resolved


def read(tmp_path: Path, content: str | bytes) -> dict[str, object]:
    file = tmp_path / "run.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_settings(file).values


NUMBERS = {
    "0": 0, "-7": -7, "+7": 7, "60_000": 60_000, "0x10": 16,
    "1.5": 1.5, "1.": 1.0, ".5": 0.5, "6e4": 6e4, "2E-3": 2e-3, "-1.5e+2": -150.0, "010.5": 10.5,
    ".inf": math.inf, "-.INF": -math.inf,
}  # fmt: skip
WORDS = [
    # yes and no are false friends
    *(
        "yes",
        "no",
        "on",
        "off",
        "y",
        "n",
        "Yes",
        "tRUE",
        "nUll",
        "none",
    ),
    *("1:30", "190:20:30", "1:30.5"),  # base 60
    *("010", "0o10", "0b11", "08", "00"),  # base 8, or not
    *("2026-01-01", "2026-01-01T10:00:00Z"),
    *("1e", "e5", ".", "-", "+", "1.2.3", "0x", "_1", "1__", "\u0661", "=", "inf", "nan"),
]


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_is_a_number(tmp_path: Path, text: str) -> None:
    (value,) = read(tmp_path, f"a: {text}").values()
    assert value == NUMBERS[text]
    assert type(value) is type(NUMBERS[text])


@pytest.mark.parametrize("text", [word for word in WORDS if word not in ("-", "1__")])
def test_what_versions_of_yaml_read_differently_is_a_word(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, f"a: {text}\nb: '6'\nc: \"true\"") == {"a": text, "b": "6", "c": "true"}


@pytest.mark.parametrize("text", ["", "~", "null", "Null"])
def test_nothing(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, f"a: {text}") == {"a": None}


def test_names_are_text_as_it_is_written(tmp_path: Path) -> None:
    text = "1.10: {010: 1, yes: 2, 1e3: 3, null: 4}\nb: [1.10, 010, 4, true, 'x']"
    assert read(tmp_path, text) == {
        "1.10": {"010": 1, "yes": 2, "1e3": 3, "null": 4},
        "b": ["1.10", "010", "4", "true", "x"],
    }


def test_the_type_of_a_setting_says_what_a_word_is(tmp_path: Path) -> None:
    config = resolved(read(tmp_path, "check_finite: off\nmodel: on\ndata: no"))
    assert (config.check_finite, config.model, config.data) == (False, "on", "no")
    for text in ("epochs: 1:30", "epochs: 010", "check_finite: maybe", "learning_rate: 1:30.5"):
        with pytest.raises(ConfigError, match=r"expected (a|true)"):
            resolved(read(tmp_path, text))


def test_what_is_written_is_read_as_the_same(tmp_path: Path) -> None:
    for word in (
        *WORDS,
        *NUMBERS,
        "",
        "true",
        "null",
        "~",
        "a: b",
        "x #y",
        "é\u2028",
        "<<",
        "!a",
        "*b",
    ):
        groups = {word or "empty": [word, "1.10"]}
        config = TrainConfig(model=word, data=word, groups=groups, min_rate={word or "empty": 1e-7})
        write_yaml(tmp_path / "config.yaml", config.to_dict())
        assert resolved(*read_settings(tmp_path / "config.yaml")) == config


def test_aliases_stand_for_what_they_name(tmp_path: Path) -> None:
    text = "a: &x {k: 1, l: 2}\nb: *x\nc: {<<: *x, l: 3}\nd: {<<: [{l: 5}, *x]}"
    assert read(tmp_path, text) == {
        "a": {"k": 1, "l": 2},
        "b": {"k": 1, "l": 2},
        "c": {"k": 1, "l": 3},
        "d": {"k": 1, "l": 5},
    }


def laughs(form: str) -> str:
    lines = ["a0: &a0 " + form.format("lol")]
    lines += [f"a{i}: &a{i} " + form.format(", ".join([f"*a{i - 1}"] * 9)) for i in range(1, 12)]
    return "\n".join(lines)


DAMAGED = {
    "twice": ("epochs: 1\n\nepochs: 2", "line 3: there is epochs twice; it is in line 1, too"),
    "twice inside": ("min_rate: {4: 1, '4': 2}", "line 1: there is 4 twice"),
    "twice by an alias": ("a: &x 1\n*x : 2\n1: 3", "line 3: there is 1 twice; it is in line 1"),
    "twice merged": ("a: &x {k: 1}\nb: {<<: *x, <<: *x}", "line 2: there is << twice"),
    "laughs": (laughs("[{}]"), "more than 10,000 values"),
    "merged laughs": (laughs("{{k: [{}]}}"), "more than 10,000 values"),
    "itself": ("a: &x [1, *x]", "line 1: there is a value that contains itself"),
    "itself merged": ("a: &x {<<: *x}", "line 1: there is a value that contains itself"),
    "merge of a word": ("a: {<<: b}", "line 1: there is << with a word"),
    "unknown alias": ("a: 1\nb: *x", "line 2: no YAML, or damaged"),
    "deep": ("[" * 50_000, "line 1: no YAML, or damaged (more than 10,000 values, or 20 inside"),
    "deep mapping": ("{a: " * 5_000, "20 inside one another"),
    "deep block": ("\n".join(" " * i + "a:" for i in range(400)), "20 inside one another"),
    "deep aliases": (
        "a0: &a0 []\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 2000)),
        "more than 10,000 values, with aliases followed",
    ),
    "many": ("a: [" + "1," * 50_000 + "]", "more than 10,000 values"),
    "many names": ("".join(f"k{i}:\n" for i in range(12_000)), "more than 10,000 values"),
    "tag": ("a: 1\nb: !!python/object/apply:os.system ['true']", "line 2: there is a tag"),
    "harmless tag": ("a: !!float 1:30", "line 1: there is a tag, 'tag:yaml.org,2002:float'"),
    "set": ("a: !!set {x}", "there is a tag"),
    "name that is a list": ("? [a]\n: 1", "line 1: there is a list as a name"),
    "list": ("- 1\n- 2", "holds a list, expected lines of `name: value`"),
    "word": ("epochs", "holds a word"),
    "two documents": ("a: 1\n---\nb: 2", "line 2: no YAML"),
    "unclosed": ("a: 1\nb: {", "line 2: no YAML, or damaged"),
    "colons": ("a: b: c", "line 1: no YAML"),
    "tab": ("a:\n\t- 1", "line 2: no YAML"),
    "control character": ("a: \x00", "no YAML, or damaged"),
    "size": ("a: 1\n" + "#" * 300_000, "larger than 128 kB"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_or_hostile_file_is_named(tmp_path: Path, name: str) -> None:
    content, message = DAMAGED[name]
    with pytest.raises(ConfigError, match=r"run\.yaml") as raised:
        read(tmp_path, content)
    assert message in str(raised.value)
    assert len(str(raised.value)) < 500


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"run\.yaml, line 2: no text in UTF-8"):
        read(tmp_path, b"a: 1\nb: \xff")


def test_a_byte_order_mark_is_none_of_the_names(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfa: 1\r\nb: 2\r\n") == {"a": 1, "b": 2}


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigError, match="larger than"):
        read_settings("/dev/zero")


def test_a_number_of_very_many_digits_is_a_word(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"epochs is '9999.*expected a whole number") as raised:
        resolved(read(tmp_path, f"epochs: {'9' * 5000}"))
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "text", ["epochs: " + "9" * 290, "learning_rate: " + "9" * 299, "seed: 1e300"]
)
def test_large_numbers_do_no_harm(tmp_path: Path, text: str) -> None:
    resolved(read(tmp_path, text))


def test_a_range_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("model: lenet\n\nepochs: 0\n")
    with pytest.raises(ConfigError, match=r"run\.yaml, line 3: training: epochs is 0") as raised:
        resolved(*read_settings(tmp_path / "run.yaml"))
    assert raised.value.setting == "epochs"
