import pytest

from app import validate

SHOW = {"title": " Opening night ", "starts_at": "2030-01-31T20:00:00"}


def test_a_show():
    show = validate.show(SHOW)
    assert show["title"] == "Opening night"
    assert show["capacity"] == 100
    assert show["starts_at"].isoformat() == "2030-01-31T20:00:00+00:00"


@pytest.mark.parametrize(
    "change",
    [{"title": " "}, {"title": "x" * 201}, {"starts_at": "soon"}, {"capacity": 0}, {"capacity": True}],
)
def test_not_a_show(change):
    with pytest.raises(validate.Invalid):
        validate.show(SHOW | change)


def test_events():
    assert validate.event({"kind": "applause"}) == {"kind": "applause", "payload": {}}
    for body in [None, [], {}, {"kind": "x", "payload": 1}]:
        with pytest.raises(validate.Invalid):
            validate.event(body)
