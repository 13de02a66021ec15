"""The rules of a filtered stream are made to be those that were asked for.

An app's rules outlive a connection and cost money by what they match, so none that nobody asked for
may stay. Ours carry a tag and are replaced as needed; a rule without it belongs to somebody else,
and is named instead of deleted.

Facts: repository xdevplatform/docs, openapi.json (`/2/tweets/search/stream/rules`); the shape of
rule errors (`value`, `title` `DuplicateRule`, `details`) from issues of client libraries.
"""

from collections.abc import Sequence

import httpx2
import msgspec

from fairwitness.posts.source import SourceRefused

RULES_PATH = "/2/tweets/search/stream/rules"
TAG = "fairwitness"


class _Rule(msgspec.Struct, frozen=True):
    id: str
    value: str
    tag: str = ""


class _Page(msgspec.Struct, frozen=True):
    next_token: str = ""


class _Rules(msgspec.Struct, frozen=True):
    data: tuple[_Rule, ...] = ()
    meta: _Page = _Page()


class _RuleError(msgspec.Struct, frozen=True):
    title: str = ""
    detail: str = ""
    details: tuple[str, ...] = ()
    value: str = ""


class _Outcome(msgspec.Struct, frozen=True):
    errors: tuple[_RuleError, ...] = ()


async def sync_rules(client: httpx2.AsyncClient, wanted: Sequence[str], name: str) -> None:
    """Delete our rules that are not `wanted`, add those that are missing.

    Raises SourceRefused naming rules that X rejects or that are not ours, and httpx2.HTTPError and
    its HTTPStatusError for what goes wrong between us.
    """
    present = await _present(client)
    foreign = [rule.value for rule in present if rule.tag != TAG and rule.value not in wanted]
    if foreign:
        raise SourceRefused(
            f"{name}: the app has {len(foreign)} rules of somebody else, which would cost too: "
            f"{foreign[0][:120]!r}; delete them or give us an app of our own"
        )
    stale = [rule.id for rule in present if rule.value not in wanted]
    if stale:
        await _post(client, {"delete": {"ids": stale}}, name)
    values = {rule.value for rule in present}
    missing = [{"value": value, "tag": TAG} for value in wanted if value not in values]
    if missing:
        await _post(client, {"add": missing}, name)


async def _present(client: httpx2.AsyncClient) -> list[_Rule]:
    found: list[_Rule] = []
    token = ""
    while True:
        response = await client.get(RULES_PATH, params={"pagination_token": token} if token else {})
        response.raise_for_status()
        rules = msgspec.json.decode(response.content, type=_Rules)
        found += rules.data
        token = rules.meta.next_token
        if not token:
            return found


async def _post(client: httpx2.AsyncClient, change: dict[str, object], name: str) -> None:
    response = await client.post(RULES_PATH, json=change)
    if response.status_code not in {200, 201, 400}:
        response.raise_for_status()
    errors = msgspec.json.decode(response.content, type=_Outcome).errors
    bad = [error for error in errors if error.title != "DuplicateRule"]
    if bad:
        reasons = "; ".join(
            f"{error.value[:80]!r}: {error.title} {error.detail}{' '.join(error.details)}"[:300]
            for error in bad[:5]
        )
        raise SourceRefused(f"{name}: X does not take the rules: {reasons}")
    if response.status_code == 400:
        raise SourceRefused(f"{name}: X does not take the rules: {response.text[:300]}")
