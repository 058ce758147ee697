"""A number is written as its cell shows it."""

import time

import pytest

from shared.providers.office.number_format import BUILT_IN, shown, shown_text
from shared.providers.office.numerals import numeral

EURO = '_-* #,##0.00\\ _€_-;\\-* #,##0.00\\ _€_-;_-* "-"??\\ _€_-;_-@_-'


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (0.19, "0.0%", "19.0%"),
        (0.835, "0%", "84%"),
        (1234.5, '#,##0.00 "€"', "1,234.50 €"),
        (1234.5, "[$€-407] #,##0.00", "€ 1,234.50"),
        (1234.5, EURO, "1,234.50"),
        (0, EURO, "-"),
        (-5.5, "0.00;[Red](0.00)", "(5.50)"),
        (-1234.5, "#,##0.00", "-1,234.50"),
        (1_234_567, '0.0,,"M"', "1.2M"),
        (1067, "00000", "01067"),
        (5551234, "000-0000", "555-1234"),
        (0.75, "# ?/?", "3/4"),
        (1.5, "# ?/?", "1 1/2"),
        (12345, "0.00E+00", "1.23E+04"),
        (5, "0.0##", "5.0"),
        (5, "#.##", "5"),
        (0, "#,##0", "0"),
        (150, '[>100]"high";"low"', "high"),
        (12, 'General" kg"', "12 kg"),
        (3, ";;;", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (4111222233334444, "General", "4111222233334444"),
        (1e-7, "General", "0.0000001"),
        (1e300, "General", "1e+300"),
    ],
)
def test_an_amount(value: float, code: str, text: str) -> None:
    assert shown(value, code) == text


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (0.3541666667, "hh:mm", "08:30"),
        (1.25, "[h]:mm", "30:00"),
        (-0.25, "[h]:mm", "-6:00"),
        (0.0005, "mm:ss.0", "00:43.2"),
        (0.5, "[$-F400]h:mm:ss AM/PM", "12:00:00 PM"),
        (48274, "yyyy-mm-dd", "2032-03-01"),
        (48274, "dd.mm.yyyy;@", "01.03.2032"),
        (48274.5, "d mmmm yyyy h:mm AM/PM", "1 March 2032 12:00 PM"),
        (48274.9999999, "yyyy-mm-dd hh:mm:ss", "2032-03-02 00:00:00"),
        (48274, BUILT_IN[14], "2032-03-01"),
        (1, "yyyy-mm-dd", "1900-01-01"),
        (61, "ddd yyyy-mm-dd", "Thu 1900-03-01"),
        (-3, "yyyy-mm-dd", "-3"),
        (1e12, "yyyy-mm-dd", "1000000000000"),
    ],
)
def test_a_moment(value: float, code: str, text: str) -> None:
    assert shown(value, code) == text


def test_days_may_be_counted_from_1904_on() -> None:
    assert shown(48274 - 1462, "yyyy-mm-dd", since_1904=True) == "2032-03-01"
    assert shown(1.25, "[h]:mm", since_1904=True) == "30:00"


def test_a_text_may_have_a_format() -> None:
    assert shown_text("north", '0;0;0;@" lamp"') == "north lamp"
    assert shown_text("north", "0.00") == "north"


@pytest.mark.parametrize("sign", ["0", "#,", '"', "[", "[>", "m", "h:", "\\", "E+", "?/", ";", ".0", "@"])
def test_a_long_format_is_read_once(sign: str) -> None:
    started = time.process_time()
    assert shown(1.5, sign * 100_000)
    assert time.process_time() - started < 1


def test_numbers_of_lists() -> None:
    told = [numeral(27, style) for style in ("decimal", "lowerLetter", "upperRoman", "ordinal", "decimalZero")]
    assert told == ["27", "aa", "XXVII", "27th", "27"]
    assert [numeral(n, "lowerRoman") for n in (4, 9, 40, 90, 1999)] == ["iv", "ix", "xl", "xc", "mcmxcix"]
