"""Words that change what is said when one takes the place of another, and words that do not.

Tables only. Those that change it are what a verifier must notice: the opposite, another amount,
another day, another certainty, another speaker.
"""

from itertools import chain


def _rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


SCALES = _rows("""
monday tuesday wednesday thursday friday saturday sunday
january february march april june july august september october november december
one two three four five six seven eight nine ten eleven twelve
hundreds thousands millions billions dozens
hundred thousand million billion
all some few most none
always sometimes never often rarely
morning afternoon evening night
today yesterday tomorrow
first second third last
north south east west
spring summer autumn winter
minutes hours days weeks months years
minute hour day week month year
""")
"""One word of a row in the place of another makes a different statement."""

OPPOSITES = {
    word: row[1 - at]
    for row in _rows(
        """
win lose|wins loses|won lost|winning losing|winner loser|rise fall|rises falls|rose fell
rising falling|up down|more less|increase decrease|increases decreases|increased decreased
before after|open closed|opens closes|opened closed|alive dead|killed saved|arrested freed
support oppose|supports opposes|supported opposed|accept reject|accepts rejects|accepted rejected
allow ban|allows bans|allowed banned|high low|higher lower|highest lowest|best worst|better worse
good bad|large small|larger smaller|largest smallest|big little|old new|young old|man woman
men women|boy girl|father mother|brother sister|husband wife|son daughter|he she|his her
start end|starts ends|started ended|begin finish|begins finishes|began finished|join leave
joins leaves|joined left|buy sell|buys sells|bought sold|love hate|loves hates|success failure
succeeds fails|succeeded failed|guilty innocent|legal illegal|true false|safe dangerous|rich poor
strong weak|early late|earlier later|left right|confirm deny|confirms denies|confirmed denied
praise criticise|praises criticises|praised criticised|attack defend|attacks defends|find lose
finds loses|found lost|add remove|adds removes|added removed|give take|gives takes|gave took
inside outside|over under|above below|with without|friend enemy|democrats republicans
democrat republican|hot cold|fast slow|faster slower|easy hard|same different|public private
male female|city village|hire fire|hires fires|hired fired|approve block|approves blocks
approved blocked|free paid|life death|born died|live die|many few|agree disagree|agrees disagrees
""".replace("|", "\n")
    )
    for at, word in enumerate(row)
}

ALIKE = {
    word: row[1 - at]
    for row in _rows(
        """
says states|said stated|killed dead|people persons|big large|huge enormous|begin start|begins starts
began started|buy purchase|bought purchased|buys purchases|show reveal|shows reveals|showed revealed
help assist|get obtain|gets obtains|near close|film movie|movies films|photo picture
photos pictures|job position|jobs positions|kids children|kid child|mom mother|dad father
police cops|cop officer|car vehicle|cars vehicles|house home|fast quick|smart clever|sick ill
rich wealthy|angry furious|end finish|ends finishes|ended finished|tell inform|tells informs
need require|needs requires|make create|makes creates|made created|attempt try|attempts tries
firm company|firms companies|doctor physician|doctors physicians|lawyer attorney|lawyers attorneys
blast explosion|quake earthquake|injured hurt|wounded injured|storm hurricane|fire blaze
town city|road street|kills murders|arrested detained|arrests detains|cash money|wed marry
student pupil|students pupils|teen teenager|teens teenagers|cheap inexpensive|scared afraid
happens occurs|happened occurred|answer reply|answers replies|almost nearly|maybe perhaps
also too|often frequently|rapidly quickly|american us|british uk|tv television|phone telephone
ads advertisements|exam test|vote ballot|choose pick|chose picked|discover find|discovered found
discovers finds|ask request|asks requests|wants desires|gift present|woman lady|man guy|enormous big
""".replace("|", "\n")
    )
    for at, word in enumerate(row)
}
"""Words that may take each other's place."""

SCALE_OF = {word: row for row in SCALES for word in row}

CERTAIN = {
    "may": "will", "might": "will", "could": "will", "allegedly": "certainly",
    "reportedly": "definitely", "possibly": "certainly", "probably": "certainly",
    "suspected": "proven", "likely": "certain", "plans": "has", "wants": "has", "hopes": "has",
    "considering": "doing", "rumored": "confirmed", "alleged": "proven", "if": "because",
}  # fmt: skip
"""A guess, said as a fact."""

POSITIVE = tuple("is are was were will can has have does do did should could would must".split())
SPEAKERS = tuple(
    "police|the mayor|officials|a witness|the president|scientists|his lawyer|the company"
    "|a spokesman|the minister|researchers|neighbours|the union|doctors".split("|")
)
SAYINGS = ("{who} said {what}", "{who} confirmed that {what}", "according to {who}, {what}")
DIGITS = dict(zip("two three four five six seven eight nine ten eleven twelve".split(),
                  map(str, range(2, 13)), strict=True))  # fmt: skip
LONG_FORMS = {
    "isn't": "is not", "aren't": "are not", "wasn't": "was not", "don't": "do not",
    "doesn't": "does not", "didn't": "did not", "can't": "cannot", "won't": "will not",
    "it's": "it is", "i'm": "I am", "he's": "he is", "she's": "she is", "they're": "they are",
    "we're": "we are", "you're": "you are", "i've": "I have", "that's": "that is",
}  # fmt: skip
KNOWN = frozenset(chain(OPPOSITES, ALIKE, SCALE_OF, CERTAIN, POSITIVE, LONG_FORMS))
