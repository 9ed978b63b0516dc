import pytest

from sengu.base.urls import TRACKING, archived_url, canonical_url, host_name, start_url, without_user

A = "http://a.example"

# two spellings of one address
SAME = [
    (f"{A}/p#top", f"{A}/p"),
    (f"{A}/p#", f"{A}/p"),
    (f"{A}/p#!/gallery", f"{A}/p"),
    (A, f"{A}/"),
    ("HTTP://A.EXAMPLE/p", f"{A}/p"),
    ("http://A.Example/p", f"{A}/p"),
    ("http://a.example:80/p", f"{A}/p"),
    ("https://a.example:443/p", "https://a.example/p"),
    ("http://a.example:/p", f"{A}/p"),
    (f"{A}/p?", f"{A}/p"),
    (f"{A}/p?b=1&a=2", f"{A}/p?a=2&b=1"),
    (f"{A}/p?b=2&b=1", f"{A}/p?b=1&b=2"),
    (f"{A}/p?a", f"{A}/p?a="),
    (f"{A}/p?a=x+y", f"{A}/p?a=x%20y"),
    (f"{A}/tag/猫", f"{A}/tag/%E7%8C%AB"),
    (f"{A}/tag/%e7%8c%ab", f"{A}/tag/%E7%8C%AB"),
    (f"{A}/?tag=猫", f"{A}/?tag=%E7%8C%AB"),
    (f"{A}/caf\u00e9", f"{A}/caf%C3%A9"),
    (f"{A}/%7Euser/", f"{A}/~user/"),
    (f"{A}/a b.jpg", f"{A}/a%20b.jpg"),
    (f"{A}/%61.jpg", f"{A}/a.jpg"),
    (f"{A}/a/../b.jpg", f"{A}/b.jpg"),
    (f"{A}/a/./b.jpg", f"{A}/a/b.jpg"),
    (f"{A}/../../b.jpg", f"{A}/b.jpg"),
    ("http://b\u00fccher.example/p", "http://xn--bcher-kva.example/p"),
    ("http://[::0:1]/p", "http://[::1]/p"),
    (f"{A}/p?utm_source=x&utm_medium=y", f"{A}/p"),
    (f"{A}/p?a=1&utm_campaign=z&b=2", f"{A}/p?a=1&b=2"),
    (f"{A}/p?UTM_Source=x", f"{A}/p"),
    (f"{A}/p?fbclid=IwAR0&a=1", f"{A}/p?a=1"),
    (f"{A}/p?gclid=1#x", f"{A}/p"),
    (f"{A}/p?msclkid=1&mc_eid=2", f"{A}/p"),
    (f"{A}/p?igsh=abc==", f"{A}/p"),
    (f"{A}/p?a=1&a=2&utm_term=t", f"{A}/p?a=1&a=2"),
    (f"{A}/p?%75tm_source=x", f"{A}/p"),
    (f"{A}/p;jsessionid=0A1B?a=1", f"{A}/p?a=1"),
    (f"{A}/p;JSESSIONID=0A1B", f"{A}/p"),
    (f"{A}/p?PHPSESSID=abc", f"{A}/p"),
    (f"{A}/p?q=%E7%8C%AB&utm_id=1", f"{A}/p?q=猫"),
    (f"{A}/p?u=http%3A%2F%2Fx.example%2F&utm_id=1", f"{A}/p?u=http://x.example/"),
]

# what is not the same, whatever it looks like
DIFFERENT = [
    (f"{A}/p", f"{A}/P"),
    (f"{A}/p", f"{A}/p/"),
    (f"{A}/p", "https://a.example/p"),
    (f"{A}/p", "http://www.a.example/p"),
    (f"{A}/p", "http://a.example:8080/p"),
    (f"{A}/p?a=1", f"{A}/p?a=2"),
    (f"{A}/p?a=1", f"{A}/p?A=1"),
    (f"{A}/p?a=1&a=1", f"{A}/p?a=1"),
    (f"{A}/a%2Fb", f"{A}/a/b"),
    (f"{A}/a%3Fb", f"{A}/a?b"),
    (f"{A}/p?q=%26", f"{A}/p?q=&"),
    (f"{A}/p?q=%2B", f"{A}/p?q=+"),
    (f"{A}/p?page=2", f"{A}/p"),
    (f"{A}/p?utmost=1", f"{A}/p"),
    (f"{A}/p;v=1", f"{A}/p;v=2"),
    (f"{A}/caf%E9", f"{A}/caf%C3%A9"),
    (f"{A}//p", f"{A}/p"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_address_are_one_url(one: str, other: str) -> None:
    assert canonical_url(one, TRACKING) == canonical_url(other, TRACKING)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_addresses_stay_apart(one: str, other: str) -> None:
    assert canonical_url(one, TRACKING) != canonical_url(other, TRACKING)


@pytest.mark.parametrize("url", sorted({url for pair in SAME + DIFFERENT for url in pair}))
def test_the_canonical_form_of_a_canonical_form_is_itself(url: str) -> None:
    once = canonical_url(url, TRACKING)
    assert canonical_url(once, TRACKING) == once


def test_which_parameters_track_is_the_sites_own_list() -> None:
    assert canonical_url(f"{A}/p?utm_id=1&ref=2") == f"{A}/p?ref=2&utm_id=1"
    assert canonical_url(f"{A}/p?utm_id=1&ref=2", ["ref"]) == f"{A}/p?utm_id=1"


def test_files_of_folders_and_buckets_keep_their_names() -> None:
    assert canonical_url("file://site/a%20b%25.jpg", TRACKING) == "file://site/a%20b%25.jpg"
    assert canonical_url("s3://bucket/a%20b.jpg", TRACKING) == "s3://bucket/a%20b.jpg"


def test_the_query_is_sent_in_the_encoding_of_the_page() -> None:
    assert archived_url("http://a.example/\u732b?q=\u732b#x", "euc-jp") == "http://a.example/%E7%8C%AB?q=%C7%AD"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (" example.org/Path ", "https://example.org/Path"),
        ("HTTP://EXAMPLE.org/Path?A=b", "http://example.org/Path?A=b"),
        ("https://B\u00fccher.example/", "https://xn--bcher-kva.example/"),
        ("localhost:8000/a", "http://localhost:8000/a"),
        ("192.168.1.5/a", "http://192.168.1.5/a"),
        ("http://[::1]:80/", "http://[::1]:80/"),
    ],
)
def test_a_start_is_fetched_as_it_was_meant(typed: str, expected: str) -> None:
    assert start_url(typed) == expected


@pytest.mark.parametrize(
    "typed", ["http://me:hunter2@a.example/", "me:hunter2@a.example", "ftp://a.example", "http://", "http://[x"]
)
def test_a_start_that_cannot_be_fetched_is_refused_without_a_word_of_it(typed: str) -> None:
    with pytest.raises(ValueError, match="user name or password|not an http or https URL") as raised:
        start_url(typed)
    assert "hunter2" not in str(raised.value)


def test_domains_are_spelled_as_in_addresses() -> None:
    assert [host_name(text) for text in ("B\u00fccher.Example", "A.EXAMPLE", "::1", "[::1]", "https://a.example/x")] == [
        "xn--bcher-kva.example", "a.example", "::1", "::1", "a.example",
    ]  # fmt: skip


def test_a_user_name_and_password_leave_a_url() -> None:
    assert without_user("http://me:hunter2@a.example/x@y") == f"{A}/x@y"
    assert without_user(f"{A}/@x//y@z") == f"{A}/@x//y@z"
    assert without_user("") == ""
