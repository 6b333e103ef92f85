"""Text for a terminal, whoever wrote it; loads nothing, as an error must come soon."""

from unicodedata import category


def printable(text: str) -> str:
    """Return a text without characters that a terminal obeys, line ends aside."""
    if text.isprintable():
        return text
    return "".join(
        one if one == "\n" or category(one) not in ("Cc", "Cf", "Cs") else "?"
        for one in text
    )
