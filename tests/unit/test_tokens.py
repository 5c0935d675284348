import pytest

from shared.core.tokens import Role, find_token, parse_tokens

TOKENS = parse_tokens("anna:read:abc-abc-abc-abc-abc-abc-abc, bert:operate:d:e:f:d:e:f:d:e:f:d:e:f:g")


@pytest.mark.parametrize(
    ("presented", "name"),
    [
        ("abc-abc-abc-abc-abc-abc-abc", "anna"),
        ("d:e:f:d:e:f:d:e:f:d:e:f:g", "bert"),
        ("abc", None),
        ("", None),
        ("ä", None),
    ],
)
def test_a_token_is_found_by_its_exact_text(presented, name):
    found = find_token(TOKENS, presented)
    assert (found.name if found else None) == name


def test_each_role_includes_the_former():
    assert Role.LOOK < Role.READ < Role.WRITE < Role.OPERATE
