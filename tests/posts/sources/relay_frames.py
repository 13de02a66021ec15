"""Raw frames of an atproto relay, decoded far enough to say what Jetstream must make of them.

A frame is two DAG-CBOR values, a header and a body (https://atproto.com/specs/event-stream); the
`blocks` of a commit are a CAR file (https://ipld.io/specs/transport/car/carv1/). For tests only: it
trusts its input.
"""

import base64
import struct
from typing import Any


def events_of(frame: bytes) -> list[dict]:
    """Return what Jetstream v1 says of a frame, without `time_us`, which is Jetstream's own."""
    header, at = _value(frame, 0)
    body, _ = _value(frame, at)
    if header["t"] in ("#identity", "#account"):
        kind = header["t"][1:]
        return [{"did": body["did"], "kind": kind, kind: body}]
    blocks = _blocks(body["blocks"])
    return [
        {"did": body["repo"], "kind": "commit", "commit": _commit(body["rev"], op, blocks)}
        for op in body["ops"]
    ]


def _commit(rev: str, op: dict, blocks: dict[str, bytes]) -> dict:
    collection, rkey = op["path"].split("/", 1)
    commit = {"rev": rev, "operation": op["action"], "collection": collection, "rkey": rkey}
    if op["cid"] is not None:
        cid = op["cid"]["$link"]
        commit |= {"record": _value(blocks[cid], 0)[0], "cid": cid}
    return commit


def _blocks(car: bytes) -> dict[str, bytes]:
    length, at = _varint(car, 0)
    at += length
    blocks = {}
    while at < len(car):
        length, at = _varint(car, at)
        end = at + length
        cid = car[at : at + 36]  # version, codec, sha2-256, 32: as all of atproto's are
        blocks[_cid(cid)] = car[at + 36 : end]
        at = end
    return blocks


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def _cid(raw: bytes) -> str:
    return "b" + base64.b32encode(raw).decode().lower().rstrip("=")


def _value(data: bytes, at: int) -> tuple[Any, int]:
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7 and info == 27:
        return struct.unpack(">d", data[at : at + 8])[0], at + 8
    if major == 7:
        return {20: False, 21: True, 22: None}[info], at
    if info >= 24:
        width = 1 << (info - 24)
        info, at = int.from_bytes(data[at : at + width], "big"), at + width
    match major:
        case 0:
            return info, at
        case 1:
            return -1 - info, at
        case 2:
            return data[at : at + info], at + info
        case 3:
            return data[at : at + info].decode(), at + info
        case 4:
            items = []
            for _ in range(info):
                item, at = _value(data, at)
                items.append(item)
            return items, at
        case 5:
            fields = {}
            for _ in range(info):
                name, at = _value(data, at)
                fields[name], at = _value(data, at)
            return fields, at
    assert (major, info) == (6, 42), "the only tag of DAG-CBOR is a link"
    link, at = _value(data, at)
    return {"$link": _cid(link[1:])}, at
