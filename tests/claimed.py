"""What tests of the writer read in an answer."""

from fairwitness.answers import Answer, Sentence


def claim_of(answer: Answer) -> Sentence:
    assert answer.sentences[-1].kind == "claim", answer.dropped
    return answer.sentences[-1]


def cited_texts(answer: Answer, sentence: Sentence) -> list[str]:
    text_of = {source.n: source.text for source in answer.sources}
    return [text_of[c.source][c.start : c.end] for c in sentence.citations]
