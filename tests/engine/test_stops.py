from hypothesis import given
from hypothesis import strategies as st

from fairwitness.engine.stops import StopScanner

TEXT = st.text("ab.", max_size=30)


@given(pieces=st.lists(TEXT), stops=st.lists(st.text("ab.", min_size=1, max_size=4), max_size=3))
def test_gives_all_text_before_the_first_stop_however_it_is_cut(pieces, stops):
    scanner = StopScanner(stops)
    given_out = ""
    for piece in pieces:
        given_out += scanner.push(piece)
    given_out += scanner.finish()
    # the first stop to be completed wins: scan the whole text letter by letter
    whole = "".join(pieces)
    ends = [end for end in range(len(whole) + 1) if any(whole[:end].endswith(s) for s in stops)]
    if not ends:
        assert not scanner.is_stopped
        assert given_out == whole
    else:
        assert scanner.is_stopped
        assert whole.startswith(given_out)
        assert not any(stop in given_out for stop in stops)
        assert any(whole[len(given_out) :].startswith(stop) for stop in stops)


def test_holds_back_only_what_may_become_a_stop():
    scanner = StopScanner(["\n\nUser:"])
    assert scanner.push("One.\n") == "One."
    assert scanner.push("Two.\n\nUs") == "\nTwo."
    assert scanner.push("er") == ""
    assert scanner.push("s") == "\n\nUsers"
    assert not scanner.is_stopped


def test_nothing_comes_after_a_stop():
    scanner = StopScanner(["."])
    assert scanner.push("a.b") == "a"
    assert scanner.push("c") == ""
    assert scanner.finish() == ""
