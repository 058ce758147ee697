"""Lists: two ways to ask, one answer."""

import pytest

PATH = "/api/v1/users"


@pytest.fixture
def seven(client_of):
    """A client of an owner with seven users."""
    client = client_of("write")
    for number in range(7):
        client.post(PATH, json={"name": str(number)})
    return client


@pytest.mark.capability("C14")
@pytest.mark.parametrize(
    ("query", "names", "described"),
    [
        pytest.param("", "0123456", (100, 0, 1, 100, 1), id="all"),
        pytest.param("?limit=3", "012", (3, 0, 1, 3, 3), id="the first three"),
        pytest.param("?limit=3&offset=3", "345", (3, 3, 2, 3, 3), id="the next three"),
        pytest.param("?page=3&rows_per_page=3", "6", (3, 6, 3, 3, 3), id="the third page"),
        pytest.param("?page=4&rows_per_page=3", "", (3, 9, 4, 3, 3), id="beyond the end"),
        pytest.param("?page=1", "0123456", (10, 0, 1, 10, 1), id="ten to a page"),
        pytest.param("?rows_per_page=7", "0123456", (7, 0, 1, 7, 1), id="a full page"),
    ],
)
def test_a_slice_is_described_both_ways(seven, query, names, described):
    answer = seven.get(PATH + query).json
    assert "".join(user["name"] for user in answer["items"]) == names
    assert answer["total"] == 7
    shown = ("limit", "offset", "page", "rows_per_page", "total_pages")
    assert tuple(answer[name] for name in shown) == described


@pytest.mark.capability("C14")
@pytest.mark.parametrize(
    "query",
    [
        "page=0", "page=-1", "rows_per_page=0", "rows_per_page=501", "limit=0", "limit=501", "offset=-1", "limit=x",
        "limit=1&page=1", "page=99999999999", "offset=99999999999", "unknown=1", "limit=",
    ],
)  # fmt: skip
def test_a_slice_out_of_bounds_is_refused(reader, query):
    assert reader.get(f"{PATH}?{query}").status_code == 422


@pytest.mark.capability("C14")
def test_an_empty_list_has_no_pages(reader):
    answer = reader.get(PATH).json
    assert (answer["items"], answer["total"], answer["total_pages"]) == ([], 0, 0)
