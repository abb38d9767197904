"""What is wrong with a configuration."""

from __future__ import annotations


class ConfigError(ValueError):
    """A file of settings is damaged, or a setting is unknown, of the wrong type or out of its range.

    The message names the file, the line and the setting, as far as it comes from a file.

    Args:
        message: in words.
        setting: its name; empty if it is about none.

    Example:
        >>> from picojoule.training import TrainConfig
        >>> try:
        ...     TrainConfig(epochs=0)
        ... except ConfigError as error:
        ...     print(error.setting, "-", error)
        epochs - training: epochs is 0, expected a whole number >= 1.
    """

    def __init__(self, message: str, setting: str = "") -> None:
        super().__init__(message)
        self.setting = setting
