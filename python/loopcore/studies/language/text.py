"""A text as numbers: words, the vocabulary of its first part, and its three parts by position."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.int64]

UNKNOWN = "<unk>"
END = "<eos>"
PARTS = (0.6, 0.8)
"""Where training and validation end, as parts of the text [ours]."""

# Words with inner apostrophes, numbers, and every other sign but control characters for itself.
_PROSE = re.compile(r"<unk>|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s\x00-\x1f\x7f]|_")


class Text(NamedTuple):
    """A text in words of its vocabulary."""

    name: str
    vocabulary: tuple[str, ...]
    """V words, `UNKNOWN` first, then by falling frequency in the training part."""
    words: Words
    """The whole text, (N,), each an index of the vocabulary."""
    training: int
    """The training part is words[:training]."""
    validation: int
    """The validation part ends here, and the test part is the rest."""


def shipped() -> str:
    """Return "Alice's Adventures in Wonderland"; `data/README.md` says from where."""
    folder = resources.files("loopcore.studies.language") / "data"
    return (folder / "alice.txt").read_text(encoding="utf-8")


def split_prose(text: str) -> list[str]:
    r"""Split a text into lower-case words and signs; line ends mean nothing.

    Examples
    --------
    >>> split_prose("`I can't,' said Alice\nin 1865.")
    ['`', 'i', "can't", ',', "'", 'said', 'alice', 'in', '1865', '.']
    """
    return _PROSE.findall(text.lower())


def split_benchmark(text: str) -> list[str]:
    r"""Split a benchmark file as such files are meant: at blanks, with `END` for a line's end.

    Empty lines are left out.

    Examples
    --------
    >>> split_benchmark("the <unk> of N\n\n = Title = \n")
    ['the', '<unk>', 'of', 'N', '<eos>', '=', 'Title', '=', '<eos>']
    """
    rows = (line.split() for line in text.splitlines())
    return [word for row in rows if row for word in (*row, END)]


def encode(name: str, words: list[str], least: int, most: int) -> Text:
    """Turn the words of a text into numbers, by the vocabulary of its training part.

    Parameters
    ----------
    name : str
        What tables call it.
    words : list of str
        The text.
    least : int
        How often a word must occur in the training part; others become `UNKNOWN`.
    most : int
        How many words the vocabulary has at most, `UNKNOWN` counted.

    Returns
    -------
    Text

    Examples
    --------
    >>> text = encode("toy", list("abababacdc"), 2, 10)
    >>> text.vocabulary, text.words.tolist(), text.training, text.validation
    (('<unk>', 'a', 'b'), [1, 2, 1, 2, 1, 2, 1, 0, 0, 0], 6, 8)
    """
    training, validation = (int(part * len(words)) for part in PARTS)
    seen: dict[str, int] = {}
    for word in words[:training]:
        seen[word] = seen.get(word, 0) + 1
    seen.pop(UNKNOWN, None)
    kept = sorted((word for word in seen if seen[word] >= least), key=lambda w: (-seen[w], w))
    vocabulary = (UNKNOWN, *kept[: most - 1])
    number = {word: i for i, word in enumerate(vocabulary)}
    return Text(
        name,
        vocabulary,
        np.array([number.get(word, 0) for word in words], np.int64),
        training,
        validation,
    )


def read(path: Path, most_words: int) -> str:
    """Return the beginning of a file that has `most_words` words or a little more, or all of it.

    Raises
    ------
    ValueError
        If the file is not text in UTF-8.
    OSError
        If it cannot be read.
    """
    lines, count = [], 0
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                lines.append(line)
                count += len(line.split())
                if count >= most_words:
                    break
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected text in UTF-8, got other bytes") from error
    return "".join(lines)
