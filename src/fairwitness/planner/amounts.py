"""Numbers as people read them: three digits and a unit that fits, never a power of ten too many."""

import math

_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""),
             (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))  # fmt: skip
# What of a prefix each unit may take: nobody reads megamonths.
_PREFIXED = {"W", "Wh", "J", "byte", "bit", "FLOP"}
_MONEY = {"USD", "EUR", "GBP", "CNY", "JPY"}
_TIMES = ((8760 * 3600.0, "years"), (86400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
_SHORT = {"byte": "B", "litre": "l"}
_NOUNS = {
    "chip": "chips",
    "token": "tokens",
    "user": "users",
    "query": "queries",
    "post": "posts",
    "server": "servers",
    "person": "people",
    "machine": "machines",
    "day": "days",
    "month": "months",
    "year": "years",
}


def shown(value: float, unit: str = "", digits: int = 3) -> str:
    """Return a value with its unit: (2.47e7, "W") is 24.7 MW, (0.414, "kg/kWh") 414 g/kWh."""
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "never" if unit in ("s", "h", "day", "month", "year") else digits_of(value)
    if unit == "%":
        return f"{digits_of(value * 100, digits)} %"
    over, slash, under = unit.partition("/")
    number, name = _scaled(value, over, digits, plural=not slash)
    return f"{number} {name}{slash}{under}".strip()


def band(median: float, low: float, high: float, unit: str = "") -> str:
    """Return a median with its interval: 24.7 [22.1 .. 27.6] MW; alone if certain."""
    if low == high:
        return shown(median, unit)
    middle, name = _apart(median, unit)
    ends = [_apart(end, unit) for end in (low, high)]
    if all(each == name for _, each in ends):
        return f"{middle} [{ends[0][0]} .. {ends[1][0]}] {name}".rstrip()
    return f"{shown(median, unit)} [{shown(low, unit)} .. {shown(high, unit)}]"


def _apart(value: float, unit: str) -> tuple[str, str]:
    number, _, name = shown(value, unit).partition(" ")
    return number, name


def digits_of(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits, thousands apart, no zeros to spare."""
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "-∞" if value < 0 else "∞"
    size = math.floor(math.log10(abs(value)))
    if size >= 12 or size < -4:
        return f"{value:.{digits - 1}e}".replace("e+", "e").replace("e-0", "e-")
    text = f"{round(value, digits - 1 - size):,.{max(digits - 1 - size, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(value: float, unit: str, digits: int, *, plural: bool) -> tuple[str, str]:
    if unit in ("s", "h") and plural:
        return _time(value * (3600 if unit == "h" else 1), digits)
    if unit in ("kWh", "kg"):
        value, unit = value * 1000, "Wh" if unit == "kWh" else "g"
    if unit == "g":
        for factor, name in ((1e9, "kt"), (1e6, "t"), (1e3, "kg"), (1.0, "g"), (1e-3, "mg")):
            if abs(value) >= factor or name == "mg":
                return digits_of(value / factor, digits), name
    if unit == "l" and abs(value) >= 1e6:
        return _prefixed(value, "l", digits, least=1e3)
    if unit in _PREFIXED:
        return _prefixed(value, unit, digits)
    if unit in _MONEY:
        for factor, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
            if abs(value) >= factor * 0.9995:
                return digits_of(value / factor, digits), f"{word} {unit}"
    name = _NOUNS.get(unit, unit) if plural and value != 1 else unit
    if abs(value) < 1e6:
        return digits_of(value, digits), name
    number, prefix = _prefixed(value, "", digits)
    return f"{number}{prefix}" if len(prefix) < 2 else number, name


def _prefixed(value: float, unit: str, digits: int, least: float = 0.0) -> tuple[str, str]:
    """Return the number before a prefix; under `least` there is none."""
    short = _SHORT.get(unit, unit)
    if value == 0 or abs(value) < least:
        return digits_of(value, digits), short
    if unit == "FLOP" and abs(value) >= 1e21:
        return digits_of(value, digits), short
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor * 0.9995:
            number = digits_of(value / factor, digits)
            return number, (f"k{short}" if prefix == "k" else prefix + short)
    return digits_of(value, digits), short


def _time(seconds: float, digits: int) -> tuple[str, str]:
    size = abs(seconds)
    if size < 1:
        return _prefixed(seconds, "s", digits) if size else ("0", "s")
    for factor, name in _TIMES:
        # Days are counted until two years, hours until three days.
        if size >= factor * {"years": 2, "days": 3, "h": 2, "min": 2}.get(name, 1):
            return digits_of(seconds / factor, digits), name
    return digits_of(seconds, digits), "s"
