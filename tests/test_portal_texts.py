"""The portal's own texts, as shipped in the package."""

from reconciler.portal_texts import by_culture, every_text, unlock_texts

NAMES = 19


def test_there_are_nineteen_texts_in_thirty_languages() -> None:
    """Each of the 30 languages has each of the 19 texts, none of them empty."""
    cultures = by_culture()
    assert len(cultures) == 30
    for texts in cultures.values():
        assert len(texts) == NAMES
        assert all(texts.values())


def test_only_dates_and_titles_stand_for_anything() -> None:
    """{0} occurs only in the texts of conversions and restorations, for dates and titles."""
    for texts in by_culture().values():
        marked = {name for name, text in texts.items() if "{0}" in text}
        assert marked == {"converted", "restored_change", "restored_revision"}


def test_the_unlock_texts_are_those_of_all_languages() -> None:
    """English and German are among the texts that unlocking writes; an edit is not."""
    assert {"The file is unlocked", "Die Datei ist nicht gesperrt"} <= unlock_texts()
    assert "Edited" not in unlock_texts()
    assert unlock_texts() < every_text()
