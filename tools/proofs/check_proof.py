#!/usr/bin/env python3
"""Checks proofs of a Cairn chain, and evidence, with nothing but Python's standard library (docs/proofs.md).

    check_proof.py --genesis genesis.json proof.json          a file of one proof; - is standard input
    check_proof.py --genesis genesis.json --producers p.json proof.json    of a chain whose producers have changed
    check_proof.py --vectors vectors.json                     the test vectors, each with a bit flipped here and there

Exit status: 0 all as it should be, 1 a proof does not hold, 2 wrong usage, 3 a file cannot be read.

It shares no line with the TypeScript implementation: that both agree on every vector is the point of it.
"""

import argparse
import base64
import hashlib
import json
import random
import re
import sys

# Ed25519 (RFC 8032), verification only, in extended coordinates.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def point_add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar > 0:
        if scalar & 1:
            result = point_add(result, point)
        point = point_add(point, point)
        scalar >>= 1
    return result


def point_equal(p, q):
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P != 0:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P != 0:
        return None
    return P - x if (x & 1) != sign else x


def point_decompress(data):
    y = int.from_bytes(data, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def verify_signature(key, digest, signature):
    a, r = point_decompress(key), point_decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + digest).digest(), "little") % L
    return point_equal(point_multiply(s, BASE), point_add(r, point_multiply(h, a)))


# Hashes and RFC 9162 trees.


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(data):
    return sha256(b"\x00" + data)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


class Wrong(Exception):
    """The proof does not show what it says."""


def demand(condition, what):
    if not condition:
        raise Wrong(what)


def root_from(leaf, index, size, path):
    """The root that an inclusion proof leads to (section 2.1.3.2); None when it has the wrong length."""
    if not 0 <= index < size:
        return None
    fn, sn, root = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            root = node_hash(sibling, root)
            while fn != 0 and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node_hash(root, sibling)
        fn, sn = fn >> 1, sn >> 1
    return root if sn == 0 else None


def is_consistent(first, second, first_root, second_root, path):
    """Section 2.1.4.2."""
    if first > second:
        return False
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path and first_root == sha256(b"")
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    nodes = [first_root] + path if fn == 0 else list(path)
    if not path or not nodes:
        return False
    fr = sr = nodes[0]
    for node in nodes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(node, fr), node_hash(node, sr)
            while fn != 0 and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, node)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root


# Strict protobuf: what is read is written again and must be the same bytes.


def read_varint(data, at):
    value = shift = 0
    while True:
        demand(at < len(data) and shift < 64, "a varint is cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def write_varint(value):
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def fields_of(data, kinds):
    """Values by field number. `kinds`: number -> "number", "bool" or "bytes"; a list of values each."""
    found, at = {number: [] for number in kinds}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        kind = kinds.get(tag >> 3)
        demand(kind is not None and tag & 7 == (2 if kind == "bytes" else 0), "an unknown field")
        value, at = read_varint(data, at)
        if kind == "bytes":
            demand(at + value <= len(data), "bytes are cut short")
            value, at = data[at : at + value], at + value
        else:
            demand(value < 2**53 if kind == "number" else value == 1, "a number out of range")
        found[tag >> 3].append(value)
    written = b""
    for number, values in sorted(found.items()):
        for value in values:
            if kinds[number] == "bytes":
                written += write_varint(number << 3 | 2) + write_varint(len(value)) + value
            else:
                demand(value != 0, "a default that is written out")
                written += write_varint(number << 3) + write_varint(value)
    demand(written == data, "another encoding than the one there is")
    return found


def only(values, length=None):
    demand(len(values) == 1 and (length is None or len(values[0]) == length), "a field is missing or of another length")
    return values[0]


def number(values):
    demand(len(values) <= 1, "a field comes twice")
    return values[0] if values else 0


HEADER = {n: "number" for n in (1, 3, 5, 10)} | {n: "bytes" for n in (2, 4, 6, 7, 8, 9, 11, 12, 14, 15)} | {13: "bool"}


class Header:
    def __init__(self, data):
        demand(len(data) <= 1024, "a header is too long")
        fields = fields_of(data, HEADER)
        self.id = sha256(data)
        self.height, self.view = number(fields[1]), number(fields[3])
        self.parent, self.configuration = only(fields[2], 32), only(fields[11], 32)
        self.transaction_root, self.receipt_root = only(fields[6], 32), only(fields[7], 32)
        self.history_root, self.producer = only(fields[9], 32), only(fields[4], 32)
        only(fields[8], 32)
        number(fields[5]), number(fields[10]), number(fields[13])
        self.next_configuration = fields[12][0] if fields[12] else None
        for optional in (12, 14, 15):
            demand(all(len(each) == 32 for each in fields[optional]) and len(fields[optional]) <= 1, "a hash")


def configuration_hash(producers):
    return sha256(b"".join(b"\x0a\x20" + key for key in producers))


class Sets:
    """Producer sets that decide together about the blocks from one height to another: one, or two during a change."""

    def __init__(self, producers, following, first, last):
        self.all = [producers] if following is None else [producers, following]
        self.members = producers + [key for key in following or [] if key not in producers]
        self.first, self.last = first, last
        self.hash = configuration_hash(producers)
        if following is not None:
            self.hash = sha256(b"\x0a\x20" + self.hash + b"\x12\x20" + configuration_hash(following))

    def judges(self, header):
        return self.hash == header.configuration and self.first <= header.height <= self.last

    def demand(self, signers, needed):
        for producers in self.all:
            demand(len([key for key in producers if key in signers]) >= needed(len(producers)), "no quorum")


EVER = 2**53


class Chain:
    """What the genesis says, and the changes of the producer set that were proven since."""

    def __init__(self, genesis):
        # RFC 8785: for ASCII names and whole numbers, sorted and without spaces is the canonical form.
        text = json.dumps(genesis, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        self.genesis = genesis
        self.id = sha256(text.encode())
        self.engine = genesis["engine"]
        self.producers = [bytes.fromhex(producer["key"]) for producer in genesis["producers"]]
        self.changed = []
        self.ever = set(self.producers)
        self.sets = [Sets(self.producers, None, 0, EVER)]

    def sets_of(self, header, sets=None):
        found = [each for each in sets or self.sets if each.judges(header)]
        demand(found, "producers that are not known")
        return found[0]

    def change(self, height, following):
        """The sets after a block has begun to change the newest set."""
        newest = self.sets[-1]
        newest.last = height
        joint = Sets(newest.all[0], following, height + 1, EVER)
        if len(self.sets) > 1:
            self.sets[-2].last = min(self.sets[-2].last, height)
        self.sets += [joint, Sets(following, None, height + 2, EVER)]
        self.changed.append(height)
        self.ever |= set(following)

    def digest(self, kind, content):
        return sha256(b"cairn/1/" + kind + b"\x00" + self.id + content)

    def demand_signed(self, key, kind, content, signature):
        demand(len(signature) == 64, "a signature of another length")
        demand(verify_signature(key, self.digest(kind, content), signature), "a signature is not its signer's")


def reference(view, height, block_id):
    out = b""
    if view:
        out += b"\x08" + write_varint(view)
    if height:
        out += b"\x10" + write_varint(height)
    return out + b"\x1a\x20" + block_id


def certified(chain, data, sets=None):
    """The header that a certificate proves irreversible, every signature checked; `sets`: by these, not by those known."""
    return by_commits(chain, data, sets) if chain.engine == "bft" else by_acks(chain, data, sets)


def by_acks(chain, data, known):
    fields = fields_of(data, {1: "number", 2: "bytes", 3: "bytes"})
    view, path = number(fields[1]), [Header(each) for each in fields[2]]
    demand(path, "no header")
    for below, above in zip(path, path[1:]):
        demand(above.parent == below.id, "headers do not connect")
    demand(all(header.view == view for header in path), "a header of another view")
    sets, signers = chain.sets_of(path[0], known), set()
    for ack in fields[3]:
        parts = fields_of(ack, {1: "bytes", 2: "number", 3: "bytes"})
        signer, position = only(parts[1], 32), number(parts[2])
        demand(position < len(path), "an ack for a block outside the path")
        demand(signer in sets.members and signer not in signers, "a signer that does not count")
        signers.add(signer)
        block = path[position]
        chain.demand_signed(signer, b"ack", reference(view, block.height, block.id), only(parts[3], 64))
    sets.demand(signers, lambda producers: producers // 2 + 1)
    return path[0]


def by_commits(chain, data, known):
    fields = fields_of(data, {1: "bool", 2: "bytes", 3: "bytes"})
    demand(number(fields[1]) == 1, "made of prepares, not of commits")
    header, last, signers = Header(only(fields[2])), -1, set()
    sets = chain.sets_of(header, known)
    for each in fields[3]:
        parts = fields_of(each, {1: "number", 2: "bytes"})
        signer = number(parts[1])
        demand(last < signer < len(sets.members), "a signer that does not count")
        last = signer
        signers.add(sets.members[signer])
        content = reference(header.view, header.height, header.id)
        chain.demand_signed(sets.members[signer], b"commit", content, only(parts[2], 64))
    sets.demand(signers, lambda producers: 2 * producers // 3 + 1)
    return header


# Proofs as they are written in JSON.


class Members:
    def __init__(self, value, names):
        demand(isinstance(value, dict) and sorted(value) == sorted(names), "members that do not belong, or are missing")
        self.value = value

    def text(self, name):
        demand(isinstance(self.value[name], str), f"{name} is no text")
        return self.value[name]

    def count(self, name):
        value = self.value[name]
        demand(type(value) is int and 0 <= value < 2**53, f"{name} is no count")
        return value

    def bytes(self, name):
        text = self.text(name)
        demand(re.fullmatch(r"[A-Za-z0-9_-]*", text) and len(text) % 4 != 1, f"{name} is no base64url")
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        demand(base64.urlsafe_b64encode(data).rstrip(b"=").decode() == text, f"{name} is not in its one form")
        return data

    def hash(self, name):
        return hash_of(self.text(name))

    def list(self, name):
        demand(isinstance(self.value[name], list), f"{name} is no list")
        return self.value[name]

    def hashes(self, name):
        return [hash_of(each) for each in self.list(name)]


def hash_of(text):
    demand(isinstance(text, str) and re.fullmatch(r"[0-9a-f]{64}", text), "no hash")
    return bytes.fromhex(text)


def demand_history(block_id, height, header, path):
    """A block is the certified one, or one of those that the certified header's historyRoot is of."""
    if header.id == block_id:
        demand(not path, "a path where none is needed")
        return
    root = root_from(leaf_hash(block_id), height, header.height, path)
    demand(root == header.history_root, "historyPath does not lead to the certified header")


def check_transaction(chain, proof):
    names = "format chainId id height index count transaction transactionPath receipt receiptPath countPeaks header historyPath certificate"
    members = Members(proof, names.split())
    demand(members.hash("chainId") == chain.id, "another chain")
    header = Header(members.bytes("header"))
    height, index, count = members.count("height"), members.count("index"), members.count("count")
    demand(header.height == height, "height is not the header's")
    demand(tree_size(members.list("countPeaks"), header.receipt_root) == count, "countPeaks does not show the count")
    leaf = leaf_hash(members.bytes("transaction"))
    demand(leaf == members.hash("id"), "id is not the transaction's")
    root = root_from(leaf, index, count, members.hashes("transactionPath"))
    demand(root == header.transaction_root, "transactionPath does not lead to the header")
    receipt = leaf_hash(members.bytes("receipt"))
    demand(root_from(receipt, index, count, members.hashes("receiptPath")) == header.receipt_root, "receiptPath")
    top = certified(chain, members.bytes("certificate"))
    demand_history(header.id, height, top, members.hashes("historyPath"))
    return {"id": leaf.hex(), "height": height, "index": index}


def tree_size(peaks, root):
    """Number of leaves of the tree whose whole subtrees, largest first, have these first leaves and right siblings."""
    size, nodes = 0, []
    for each in peaks:
        members = Members(each, ["receipt", "path"])
        path, node = members.hashes("path"), leaf_hash(members.bytes("receipt"))
        for sibling in path:
            node = node_hash(node, sibling)
        demand(not nodes or len(path) < nodes[-1][0], "subtrees that do not get smaller")
        nodes.append((len(path), node))
        size += 1 << len(path)
    folded = None
    for _, node in reversed(nodes):
        folded = node if folded is None else node_hash(node, folded)
    return size if (folded or sha256(b"")) == root else None


def check_block(chain, proof):
    members = Members(proof, "format chainId height header historyPath certificate".split())
    demand(members.hash("chainId") == chain.id, "another chain")
    header = Header(members.bytes("header"))
    demand(header.height == members.count("height"), "height is not the header's")
    top = certified(chain, members.bytes("certificate"))
    demand_history(header.id, header.height, top, members.hashes("historyPath"))
    return {"id": header.id.hex(), "height": header.height}


def check_head(chain, proof):
    names = "format chainId from fromHeader historyPath consistencyPath certificate"
    members = Members(proof, names.split())
    demand(members.hash("chainId") == chain.id, "another chain")
    old, new = Header(members.bytes("fromHeader")), certified(chain, members.bytes("certificate"))
    demand(old.height == members.count("from"), "from is not the header's")
    demand(new.height >= old.height, "an older head")
    demand_history(old.id, old.height, new, members.hashes("historyPath"))
    path = members.hashes("consistencyPath")
    consistent = is_consistent(old.height, new.height, old.history_root, new.history_root, path)
    demand(consistent, "consistencyPath does not show that one history goes on with the other")
    return {"from": old.id.hex(), "id": new.id.hex(), "height": new.height}


def check_producers(chain, proof):
    """Changes of the producer set, each by the set before it or by both; the chain knows them from then on."""
    members = Members(proof, "format chainId above changes".split())
    demand(members.hash("chainId") == chain.id, "another chain")
    demand(members.count("above") == (chain.changed[-1] if chain.changed else 0), "it does not go on from what is known")
    demand(len(members.list("changes")) <= 32, "too many changes")
    for each in members.list("changes"):
        change = Members(each, "header producers historyPath certificate".split())
        header, following = Header(change.bytes("header")), change.hashes("producers")
        newest = chain.sets[-1]
        demand(header.configuration == newest.hash and header.height >= newest.first, "of another producer set")
        demand(0 < len(following) <= 200 and len(set(following)) == len(following), "no producer set")
        demand(configuration_hash(following) == header.next_configuration, "not the set that the header proposes")
        joint = Sets(newest.all[0], following, header.height + 1, EVER)
        top = certified(chain, change.bytes("certificate"), [*chain.sets, joint])
        demand_history(header.id, header.height, top, change.hashes("historyPath"))
        chain.change(header.height, following)
    return {"changes": len(chain.changed), "producers": len(chain.sets[-1].members)}


def check_fork(chain, proof):
    """Two blocks of one height, each certified; each by its own list of changes where there are two ways."""
    demand(isinstance(proof, dict), "no object")
    optional = {name: proof[name] for name in ("producers", "secondProducers") if name in proof}
    members = Members(proof, ["format", "chainId", "first", "second", *optional])
    demand(members.hash("chainId") == chain.id, "another chain")
    ways = optional.get("producers", []), optional.get("secondProducers", optional.get("producers", []))
    shown = []
    for block, producers in zip((proof["first"], proof["second"]), ways):
        demand(isinstance(producers, list) and len(producers) <= 256, "no list of proofs")
        own = Chain(chain.genesis)
        for each in producers:
            known = len(own.changed)
            demand(check(own, each, ["cairn-producers-proof-1"])["changes"] > known, "no change in a proof of changes")
        shown.append(check(own, block, ["cairn-block-proof-1"]))
    demand(shown[0]["height"] == shown[1]["height"], "blocks of two heights")
    demand(shown[0]["id"] != shown[1]["id"], "one block twice")
    return {"height": shown[0]["height"], "ids": [each["id"] for each in shown]}


VOTE = {1: "number", 2: "number", 3: "bytes"}


def check_producer(chain, proof):
    """Two things that one producer signed, of which no correct one signs both: everything stands in `evidence`."""
    names = "format chainId kind producer view height first second evidence"
    members = Members(proof, names.split())
    demand(chain.engine == "bft" and members.hash("chainId") == chain.id, "another chain, or one without such evidence")
    fields = fields_of(members.bytes("evidence"), {1: "bytes", 2: "bytes", 3: "bytes"})
    demand(sum(len(each) for each in fields.values()) == 1, "not exactly one kind")
    kind = next(each for each in fields if fields[each])
    told = [two_blocks, two_votes, less_reported][kind - 1](chain, fields[kind][0])
    demand(bytes.fromhex(told["producer"]) in chain.ever, "nobody who has been a producer")
    demand(told["view"] <= 2**48, "a view out of range")
    for name, value in told.items():
        same = json.dumps(proof[name], sort_keys=True) == json.dumps(value, sort_keys=True)
        demand(same, f"{name} is not what the evidence says")
    return {name: told[name] for name in ("kind", "producer", "view", "height")}


def said(chain, what, key, ref, signature, content=None, **more):
    """One of the two, its signature checked; `ref` is view, height, id."""
    view, height, block_id = ref
    digest = chain.digest(what.encode(), content or reference(*ref))
    demand(verify_signature(key, digest, signature), "a signature is not its signer's")
    text = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    return {"what": what, "view": view, "height": height, "id": block_id.hex(), "digest": digest.hex(), "signature": text} | more


def ref_of(data):
    fields = fields_of(data, VOTE)
    return number(fields[1]), number(fields[2]), only(fields[3], 32)


def vote_of(chain, key, data):
    fields = fields_of(data, {1: "bool", 2: "bytes", 3: "bytes"})
    what = "commit" if number(fields[1]) else "prepare"
    return said(chain, what, key, ref_of(only(fields[2])), only(fields[3], 64))


def two_blocks(chain, data):
    fields, headers, statements = fields_of(data, {1: "bytes", 2: "bytes"}), [], []
    for place in (1, 2):
        parts = fields_of(only(fields[place]), {1: "bytes", 2: "bytes"})
        header = Header(only(parts[1]))
        headers.append(header)
        ref = header.view, header.height, header.id
        statements.append(said(chain, "block", header.producer, ref, only(parts[2], 64), header.id))
    places = [(header.producer, header.view, header.height) for header in headers]
    demand(places[0] == places[1] and headers[0].id != headers[1].id, "two places, or one block")
    return accusation("twoBlocks", headers[0].producer, *statements)


def two_votes(chain, data):
    fields = fields_of(data, {1: "bytes", 2: "bytes", 3: "bytes", 4: "bytes"})
    key, path = only(fields[1], 32), [Header(each) for each in fields[4]]
    first, second = (vote_of(chain, key, only(fields[place])) for place in (2, 3))
    demand((first["what"], first["view"]) == (second["what"], second["view"]), "votes of two kinds or views")
    demand(len(path) <= 128, "too many headers")
    other = second["id"]
    if path or second["height"] != first["height"]:
        demand(path and path[0].id.hex() == second["id"] and path[-1].height == first["height"], "a path between others")
        for above, below in zip(path, path[1:]):
            demand(above.parent == below.id and below.height == above.height - 1, "headers do not connect")
        other = path[-1].id.hex()
    demand(other != first["id"], "votes on one branch")
    return accusation("twoVotes", key, first, second)


def less_reported(chain, data):
    fields = fields_of(data, {1: "bytes", 2: "bytes", 3: "bytes", 4: "bytes"})
    key, change = only(fields[1], 32), only(fields[3])
    first, parts = vote_of(chain, key, only(fields[2])), fields_of(change, {1: "number", 2: "bytes"})
    view, (reported, height, block_id) = number(parts[1]), ref_of(only(parts[2]))
    second = said(
        chain, "viewChange", key, (view, height, block_id), only(fields[4], 64), change, reportedView=reported
    )
    demand(first["what"] == "commit" and first["view"] < view, "no commit of a view before")
    demand((first["view"], first["height"]) > (reported, height), "the report is not less")
    return accusation("lessReported", key, first, second)


def accusation(kind, key, first, second):
    common = {"kind": kind, "producer": key.hex(), "view": first["view"], "height": first["height"]}
    return common | {"first": first, "second": second}


CHECKS = {
    "cairn-producer-evidence-1": check_producer,
    "cairn-fork-evidence-1": check_fork,
    "cairn-producers-proof-1": check_producers,
    "cairn-transaction-proof-1": check_transaction,
    "cairn-block-proof-1": check_block,
    "cairn-head-proof-1": check_head,
}


def check(chain, proof, formats=tuple(CHECKS)):
    name = proof.get("format") if isinstance(proof, dict) else None
    demand(isinstance(name, str) and name in formats, "no format that is known here")
    return CHECKS[name](chain, proof)


# Test vectors.


def flipped(text, rng):
    """The proof's JSON with one bit of one character changed; None when that is no JSON, or means the same."""
    data = bytearray(text.encode())
    at = rng.randrange(len(data))
    data[at] ^= 1 << rng.randrange(7)
    try:
        value = json.loads(data.decode())
    except ValueError:
        return None
    return None if value == json.loads(text) else value


def chain_of(vectors, case):
    """As it is known before the case: a proof of producers changes it."""
    chain = Chain(vectors["genesis"][case["genesis"]])
    for proof in case.get("producers", []):
        check_producers(chain, proof)
    return chain


def run_vectors(vectors, flips):
    failures, flipped_count, rng = [], 0, random.Random(9162)
    for case in vectors["cases"]:
        try:
            shown = check(chain_of(vectors, case), case["proof"])
            if not case["valid"]:
                failures.append(f"{case['name']}: holds, and should not")
            elif any(shown[key] != value for key, value in case["shows"].items()):
                failures.append(f"{case['name']}: shows {shown} instead of {case['shows']}")
        except Wrong as error:
            if case["valid"]:
                failures.append(f"{case['name']}: {error}")
            continue
        text = json.dumps(case["proof"])
        for _ in range(flips):
            value = flipped(text, rng)
            if value is None:
                continue
            flipped_count += 1
            try:
                check(chain_of(vectors, case), value)
                failures.append(f"{case['name']}: holds with a bit flipped: {json.dumps(value)[:400]}")
            except Wrong:
                pass
    return failures, flipped_count


def read_json(path):
    try:
        with sys.stdin if path == "-" else open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        sys.exit(3)


def main():
    parser = argparse.ArgumentParser(description="Checks proofs of a Cairn chain (docs/proofs.md).")
    parser.add_argument("proof", nargs="?", help="a file with one proof in JSON, - for standard input")
    parser.add_argument("--genesis", help="the chain's genesis.json")
    parser.add_argument("--producers", action="append", default=[], help="a proof of the changes of the producer set")
    parser.add_argument("--vectors", help="a file of test vectors, in place of one proof")
    parser.add_argument("--flips", type=int, default=60, help="bits flipped in each vector that holds (default: 60)")
    options = parser.parse_args()
    if options.vectors:
        vectors = read_json(options.vectors)
        failures, flips = run_vectors(vectors, options.flips)
        for failure in failures:
            print(failure)
        print(f"{len(vectors['cases'])} vectors, {flips} flipped bits, {len(failures)} failures")
        return 1 if failures else 0
    if not options.proof or not options.genesis:
        parser.error("a proof and --genesis, or --vectors")
    try:
        chain = Chain(read_json(options.genesis))
        for file in options.producers:
            check_producers(chain, read_json(file))
        print(json.dumps(check(chain, read_json(options.proof))))
        return 0
    except Wrong as error:
        print(f"not proven: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
