"""A foreign Avro library as a witness: what Lockstep writes, fastavro reads; what fastavro writes, Lockstep reads.

    avro.py decode SCHEMA_DIR         JSON lines on stdin, one answer on stdout for each
    avro.py generate SCHEMA_DIR --seed N --count K [--valid]
    avro.py fingerprint SCHEMA_DIR

`decode` takes {"schema": FILE, "hex": BODY} for a bare body, or {"framed": HEX} for Avro's single-object encoding,
whose schema is found by its fingerprint. It answers {"schema": FILE, "value": VALUE}, or {"schema": FILE, "error": WHY}
(no schema where none was found). Bytes left over are an error. fastavro forgives what Avro forbids (a negative index of
an enum or a union, a boolean other than 0 and 1, a number longer than it need be), so where it would have written other
bytes for this value, the answer also has "rewritten": HEX. That alone is no error: an array may be written in blocks.

`generate` prints {"schema": FILE, "hex": BODY, "value": VALUE}, COUNT for each schema. Alternatives (branches of
unions, symbols, edges of numbers, lengths) are dealt from a shuffled hand, so that each comes before any comes twice. A
field or a type with "lockstep.form" gets values of that form; one that is not known here is an error. With `--valid` the
rules are kept too that no schema tells: no symbol is UNKNOWN, a record with a `kind` has what the kind demands and
nothing else, what holds for one platform names no other, each row of a rule has terms that fit its direction, no time is
so far away that a reader takes it for a nearer one, and a state is one that an agent may be in.

`fingerprint` prints {"schema": FILE, "fingerprint": HEX, "canonical": TEXT}: CRC-64-AVRO of the parsing canonical form,
in the byte order of the single-object header.

A VALUE is canonical JSON, fit for a comparison of text: fields in the schema's order, keys of maps sorted, no spaces,
nothing escaped that need not be. Bytes and fixed are lower-case hex. A union is its plain value. Logical types are left
out: a timestamp is its number, a date its days, a uuid its text or (fixed) its hex, a decimal the hex of its bytes.
Numbers that JSON lacks are "NaN", "Infinity" and "-Infinity".
"""

import argparse
import io
import json
import math
import pathlib
import random
import signal
import struct
import sys
import uuid

try:
    import fastavro
    from fastavro.schema import fingerprint, to_parsing_canonical_form
except ImportError:
    sys.exit("avro.py: this python has no fastavro: run it with the one that `scripts/witnesses python` prints")

MAGIC = bytes.fromhex("c301")
# fastavro turns logical types into Python's, which hold less: its datetime ends at the year 9999. Under another name it
# leaves them alone, and `generate` still sees them.
LOGICAL = "lockstep.logical"
FORM = "lockstep.form"


class Schema:
    def __init__(self, path):
        self.file = path.name
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            self.canonical = to_parsing_canonical_form(fastavro.parse_schema(document))
            self.names = {}
            self.type = fastavro.parse_schema(without_logical(document), self.names)
        except Exception as e:
            sys.exit(f"avro.py: {path}: fastavro does not take this schema: {describe(e)}")
        self.fingerprint = fingerprint(self.canonical, "CRC-64-AVRO")

    def encode(self, datum):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, self.type, datum)
        return out.getvalue()

    def decode(self, body):
        """The datum, with a (name, datum) pair for each named type in a union."""
        source = io.BytesIO(body)
        datum = fastavro.schemaless_reader(source, self.type, return_named_type=True)
        left = len(body) - source.tell()
        if left:
            raise ValueError(f"{left} of {len(body)} bytes are left over")
        return datum

    def value(self, datum):
        return self._value(self.type, datum)

    def _value(self, type_, datum):
        if isinstance(type_, list):
            if isinstance(datum, tuple):
                name, datum = datum
            elif isinstance(datum, (dict, list)):
                name = "map" if isinstance(datum, dict) else "array"
            else:
                return scalar(datum)
            return self._value(next(t for t in type_ if name_of(t) == name), datum)
        type_ = self.names.get(type_, type_) if isinstance(type_, str) else type_
        kind = kind_of(type_)
        if kind in ("record", "error"):
            return {f["name"]: self._value(f["type"], datum[f["name"]]) for f in type_["fields"]}
        if kind == "map":
            return {key: self._value(type_["values"], datum[key]) for key in sorted(datum)}
        if kind == "array":
            return [self._value(type_["items"], item) for item in datum]
        return scalar(datum)


def without_logical(type_):
    if isinstance(type_, list):
        return [without_logical(t) for t in type_]
    if not isinstance(type_, dict):
        return type_
    renamed = {LOGICAL if key == "logicalType" else key: value for key, value in type_.items()}
    for key in ("type", "items", "values"):
        if key in renamed:
            renamed[key] = without_logical(renamed[key])
    if "fields" in renamed:
        renamed["fields"] = [{**field, "type": without_logical(field["type"])} for field in renamed["fields"]]
    return renamed


def kind_of(type_):
    return type_["type"] if isinstance(type_, dict) else type_


def name_of(type_):
    """How a branch of a union is called."""
    return type_["name"] if isinstance(type_, dict) and "name" in type_ else kind_of(type_)


def scalar(datum):
    if isinstance(datum, (bytes, bytearray)):
        return datum.hex()
    if isinstance(datum, float) and not math.isfinite(datum):
        return "NaN" if math.isnan(datum) else "Infinity" if datum > 0 else "-Infinity"
    return datum


def describe(error):
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def emit(line):
    text = json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    sys.stdout.buffer.write(text.encode() + b"\n")


def load(directory):
    paths = sorted(pathlib.Path(directory).glob("*.avsc"))
    if not paths:
        sys.exit(f"avro.py: {directory}: no *.avsc in it")
    return {path.name: Schema(path) for path in paths}


# --- decode


def body_and_schema(line, schemas):
    if "framed" in line:
        framed = bytes.fromhex(line["framed"])
        if framed[:2] != MAGIC or len(framed) < 10:
            raise ValueError("no single-object header: c301 and 8 bytes of fingerprint")
        wanted = framed[2:10].hex()
        found = [s for s in schemas.values() if s.fingerprint == wanted]
        if len(found) != 1:
            raise ValueError(f"fingerprint {wanted} is that of {' and '.join(s.file for s in found) or 'no schema'}")
        if line.get("schema", found[0].file) != found[0].file:
            raise ValueError(f"fingerprint {wanted} is that of {found[0].file}, not of {line['schema']}")
        return found[0], framed[10:]
    if line["schema"] not in schemas:
        raise ValueError(f"no schema {line['schema']}")
    return schemas[line["schema"]], bytes.fromhex(line["hex"])


def decode(schemas):
    for text in sys.stdin.buffer:
        answer = {}
        try:
            schema, body = body_and_schema(json.loads(text), schemas)
            answer["schema"] = schema.file
            datum = schema.decode(body)
            answer["value"] = schema.value(datum)
            rewritten = schema.encode(datum)
            if rewritten != body:
                answer["rewritten"] = rewritten.hex()
        except Exception as e:
            answer.pop("value", None)
            answer["error"] = describe(e)
        emit(answer)
        sys.stdout.buffer.flush()


# --- generate

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
NON_ASCII = "äßéñøżЖשلم中あ한न€\u00a0\u0301\u200d\u202e\u2028\ufeff\ufffd😀👩\U0010ffff"
AWKWARD = "\x00\t\n\r\x1b\x7f\"'\\/<>&%{}$` "
# What is longer than 63 or 8191 bytes takes a longer number before it.
LONG_TEXTS = (63, 64, 8191, 8192)
# Where a zigzag number becomes a byte longer, and the ends of what a type holds.
EDGES = {
    bits: sorted({s * (1 << n) + d for n in range(6, bits - 1, 7) for s, d in ((1, -1), (1, 0), (-1, 0), (-1, -1))})
    + [0, 1, -1, (1 << bits - 1) - 1, -(1 << bits - 1)]
    for bits in (32, 64)
}
YEAR_1_MS, YEAR_9999_MS = -62_135_596_800_000, 253_402_300_799_999
DAY_MS = 86_400_000
# (lowest, highest) of a logical type over a number: times that every library can hold.
TIMES = {
    "date": (YEAR_1_MS // DAY_MS, YEAR_9999_MS // DAY_MS),
    "time-millis": (0, DAY_MS - 1),
    "time-micros": (0, DAY_MS * 1000 - 1),
}
for _zone in ("", "local-"):
    TIMES[_zone + "timestamp-millis"] = (YEAR_1_MS, YEAR_9999_MS)
    TIMES[_zone + "timestamp-micros"] = (YEAR_1_MS * 1000, YEAR_9999_MS * 1000 + 999)
    TIMES[_zone + "timestamp-nanos"] = (-(1 << 63), (1 << 63) - 1)
# (lowest, highest) of a form or a logical type.
RANGES = {
    **TIMES,
    **{f"u{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 31, 32, 48)},
    "i48": (-(1 << 47), (1 << 47) - 1),
    # A reader refuses what a newer engine wrote.
    "engine-version": (1, 1),
}
SALESFORCE_IDS = {"salesforce-id": "", "salesforce-user-id": "005", "presence-status-id": "0N5"}
TERMS = {
    "salesforce-term": ("Offline", "Available", "On Break", "Käsepause 🧀"),
    "cxone-term": ("LoggedOut", "Available", "Unavailable", "Unavailable/Lunch", "Unavailable/Käsepause 🧀")
    + ("InboundContact", "OutboundConsult", "Dialer", "AfterCallWork", "Refused", "LoggedIn"),
}
TERMS["cxone-order"] = ("previous", *TERMS["cxone-term"])
# Which record a kind demands, where it is not called as the kind is.
PAYLOADS = {"ENGINE_VERSION": "engine_raised", "VOID": None}
# Events of these kinds go to every partition, and name no agent.
FOR_ALL = {"ACTIVATED", "ENGINE_VERSION", "PLATFORM_HELD", "PLATFORM_RESUMED"}
FLOATS = (0.0, -0.0, 1.0, -1.5, 0.1, 1e30, math.inf, -math.inf, 2.0**-149, 2.0**-126)
# A schema may hold itself: so deep, or after so many records and items, the shortest way out is taken.
DEPTH_MAX = 12
ITEMS_MAX = 1_000


class Generator:
    def __init__(self, schema, seed, valid):
        self.schema = schema
        self.valid = valid
        # A schema's records do not change when another schema is added.
        self.rng = random.Random(f"{seed} {schema.file}")
        self.hands = {}
        self.depth = 0
        self.items = 0
        self.crowd = False

    def record(self):
        self.items = 0
        return self.any(self.schema.type, "", None)

    def deal(self, where, choices):
        hand = self.hands.setdefault((where, len(choices)), [])
        if not hand:
            hand.extend(range(len(choices)))
            self.rng.shuffle(hand)
        return choices[hand.pop()]

    def any(self, type_, where, form):
        if isinstance(type_, list):
            return self.union(type_, where, form)
        type_ = self.named(type_)
        kind = kind_of(type_)
        extra = type_ if isinstance(type_, dict) else {}
        if kind in ("record", "array") and FORM in extra and (kind == "record" or extra[FORM] in MENDS):
            mend = MENDS[self.known(extra[FORM], MENDS, where)]
            return mend(self, self.whole(kind, extra, where, None))
        return self.whole(kind, extra, where, extra.get(FORM, form))

    def whole(self, kind, type_, where, form):
        if kind in ("record", "error"):
            self.items += 1
            self.depth += 1
            datum = self.fields(type_)
            self.depth -= 1
            return datum
        if kind == "array":
            return [self.any(type_["items"], where + "[]", form) for _ in self.crowded(where)]
        if kind == "map":
            keys = [self.text(where + "{key}") for _ in self.crowded(where)]
            return {key: self.any(type_["values"], where + "{}", form) for key in keys}
        if kind == "enum":
            return self.deal(type_["name"], self.symbols(type_))
        return self.plain(kind, type_, where, form)

    def symbols(self, type_):
        return [symbol for symbol in type_["symbols"] if not (self.valid and symbol == "UNKNOWN")]

    def fields(self, type_):
        name = type_["name"]
        fields = {f["name"]: f for f in type_["fields"]}
        short = name.rpartition(".")[2]
        # By field: what it is, or whether it is there.
        fixed = self.demanded(short, fields) if self.valid and "kind" in fields else {}
        datum = {}
        for field in fields.values():
            where, branches = f"{name}.{field['name']}", field["type"]
            known = fixed.get(field["name"])
            if isinstance(known, str):
                datum[field["name"]] = known
                continue
            if known is not None:
                branches = [branch for branch in branches if (branch != "null") is known]
            datum[field["name"]] = self.any(branches, where, field.get(FORM))
        return VALID.get(short, lambda g, datum: datum)(self, datum) if self.valid else datum

    def demanded(self, short, fields):
        kinds = self.symbols(self.named(fields["kind"]["type"]))
        dealt = self.deal(f"{short} of the kind", kinds)
        demanded = {PAYLOADS.get(kind, kind.lower()): kind == dealt for kind in kinds}
        if short == "Event":
            demanded["agent"] = dealt not in FOR_ALL
        return {**demanded, "kind": dealt}

    def named(self, type_):
        return self.schema.names.get(type_, type_) if isinstance(type_, str) else type_

    def command_for(self, command):
        if command["set"] is not None:
            platform = "Salesforce" if "Salesforce" in command["to"][0] else "Cxone"
            record = command["set"][1]
            record["status"] = self.of_platform(record["status"], platform)
        return command

    def decision_for(self, decision):
        for key, platform in (("to_salesforce", "Salesforce"), ("to_cxone", "Cxone")):
            if decision[key] is not None:
                record = decision[key][1]
                record["status"] = self.of_platform(record["status"], platform)
        return decision

    def intent_after_another(self, intent):
        before = self.deal("since the floor", (0, 1, (1 << 32) - 1, self.rng.getrandbits(20)))
        return {**intent, "floor": max(intent["since"] - before, -(1 << 47))}

    def issued(self, command):
        """What did not happen yet is null, never the end of all times."""
        for key in ("settled_after_ms", "matched_after_ms"):
            if command[key] == ("int", (1 << 31) - 1):
                command[key] = None
        return command

    def kept(self, kept):
        """The rows of one user are near one another; what is observed is the newest of them, or no row."""
        first = self.formed("salesforce-id", "the first row")
        rows = [f"{first[:13]}{a}{b}" for a, b in zip(DIGITS, reversed(LETTERS))][: len(kept["rows"])]
        observed = rows[0] if rows and kept["salesforce"]["shown"] and kept["observed_row"] else None
        return {**kept, "rows": rows, "observed_row": observed}

    def of_platform(self, status, platform):
        """The status, or another one that is of this platform."""
        while f"{platform}Status" not in status[0]:
            branches = [self.schema.names[f"lockstep.{p}Status"] for p in ("Salesforce", "Cxone")]
            status = self.union(branches, "a status of the platform", None)
        return status

    def order(self, row):
        """A row the other way round."""
        return {"from": self.formed("salesforce-term", "order.from"), "to": self.formed("cxone-order", "order.to")}

    def union(self, branches, where, form):
        if self.is_full():
            branches = [min(branches, key=self.is_record)]
        branch = self.deal(where, branches)
        name = name_of(branch)
        datum = self.any(branch, f"{where}|{name}", form)
        # Without its name fastavro would take the first branch that fits.
        return None if name == "null" else (name, datum)

    def is_full(self):
        return self.depth > DEPTH_MAX or self.items > ITEMS_MAX

    def is_record(self, type_):
        return kind_of(self.named(type_)) in ("record", "error")

    def crowded(self, where):
        if self.is_full():
            return
        outer = self.crowd
        size = self.deal(where + "#", (0, 1, 2) if outer else (0, 1, 2, 3, 7, 63, 64, 150))
        self.items += size
        self.crowd = outer or size > 3
        yield from range(size)
        self.crowd = outer

    def plain(self, kind, extra, where, form):
        logical = extra.get(LOGICAL)
        if kind == "string":
            if form is not None:
                return self.formed(form, where)
            return str(self.uuid(where)) if logical == "uuid" else self.text(where)
        if kind == "bytes":
            return self.decimal(extra, where, None) if logical == "decimal" else self.bytes(where)
        if kind == "fixed":
            size = extra["size"]
            if logical == "decimal":
                return self.decimal(extra, where, size)
            if logical == "uuid" and size == 16:
                return self.uuid(where).bytes
            return self.deal(where, (b"\x00" * size, b"\xff" * size, *(self.rng.randbytes(size) for _ in range(6))))
        if kind in ("int", "long") and form is not None:
            return self.number(32 if kind == "int" else 64, self.known(form, RANGES, where), where)
        return PLAIN[kind](self, logical, where)

    def known(self, form, forms, where):
        if form not in forms:
            sys.exit(f'avro.py: {self.schema.file}: {where}: the {FORM} "{form}" is not known here: add it')
        return form

    def number(self, bits, limits, where):
        limits = "i48" if self.valid and limits == "timestamp-millis" else limits
        low, high = RANGES.get(limits, (-(1 << bits - 1), (1 << bits - 1) - 1))
        edges = [n for n in (low, *EDGES[bits], high) if low <= n <= high]
        if self.deal(where, (True, False)):
            return self.deal(where + "=", edges)
        # Small numbers are as likely as large ones.
        n = self.rng.getrandbits(self.rng.randint(1, bits - 1)) * self.rng.choice((1, -1))
        return n if low <= n <= high else self.rng.randint(low, high)

    def double(self, where):
        return self.deal(where, (*FLOATS, math.pi, 1.7976931348623157e308, 5e-324, self.rng.uniform(-1e6, 1e6)))

    def float(self, where):
        n = self.deal(where, (*FLOATS, 3.4028234663852886e38, self.rng.uniform(-1e6, 1e6)))
        return struct.unpack("<f", struct.pack("<f", n))[0]

    def bytes(self, where):
        sizes = (0, 1, 2, 16) if self.crowd else (0, 1, 2, 16, *LONG_TEXTS)
        return self.rng.randbytes(self.deal(where, sizes))

    def text(self, where):
        kinds = ("empty", "word", "word", "non-ascii", "awkward", "mixed", *(() if self.crowd else ("long", "long")))
        kind = self.deal(where, kinds)
        if kind == "empty":
            return ""
        if kind == "long":
            return self.chars(LETTERS, self.deal(where + "#", LONG_TEXTS))
        letters = {"word": LETTERS, "non-ascii": NON_ASCII, "awkward": AWKWARD}.get(kind, LETTERS + NON_ASCII + AWKWARD)
        return self.chars(letters, self.rng.randint(1, 24))

    def chars(self, letters, count):
        return "".join(self.rng.choice(letters) for _ in range(count))

    def formed(self, form, where):
        if form == "account-name":
            rest = self.deal(where, (0, 1, 8, 15, 30))
            return self.rng.choice(LETTERS) + self.chars(LETTERS + DIGITS + "_-", rest)
        if form in TERMS:
            return self.deal(where, TERMS[form])
        prefix = SALESFORCE_IDS[self.known(form, SALESFORCE_IDS, where)]
        return prefix + self.chars(LETTERS + LETTERS.upper() + DIGITS, 15 - len(prefix))

    def cxone_status(self, status):
        """An out-state (a code above 3, or a reserved one below 0) and after-call work are for UNAVAILABLE only."""
        out_state = None
        if status["state"] == "UNAVAILABLE":
            codes = (None, ("long", 4), ("long", (1 << 32) - 1), ("long", self.rng.randint(4, 1 << 31)))
            reserved = () if status["after_call_work"] else (("long", -1), ("long", -5))
            out_state = self.deal("cxone-status", codes + reserved)
        else:
            status["after_call_work"] = False
        return {**status, "out_state_id": out_state}

    def uuid(self, where):
        version = self.deal(where, ("nil", "max", 4, 4, 7, 7))
        if version in ("nil", "max"):
            return uuid.UUID(int=0 if version == "nil" else (1 << 128) - 1)
        n = self.rng.getrandbits(128)
        n = n & ~(0xF << 76) | version << 76
        return uuid.UUID(int=n & ~(0x3 << 62) | 0x2 << 62)

    def decimal(self, extra, where, size):
        most = 10 ** extra["precision"] - 1
        n = self.deal(where, (0, 1, -1, most, -most, self.rng.randint(-most, most)))
        return n.to_bytes(size or n.bit_length() // 8 + 1, "big", signed=True)


# What is generated for a record or an array, made to keep a rule that no type tells.
MENDS = {
    "cxone-status": Generator.cxone_status,
    "rows": lambda g, rows: rows[:4],
    "commands": lambda g, commands: sorted(commands[:8], key=lambda c: c["sequence"]),
    "command-times": lambda g, times: sorted(times[:32]),
}
# The same for rules between the fields of a record, where --valid.
VALID = {
    "Command": Generator.command_for,
    "Decision": Generator.decision_for,
    "Intent": Generator.intent_after_another,
    "IssuedCommand": Generator.issued,
    "Kept": Generator.kept,
    "Observed": lambda g, observed: {**observed, "status": g.of_platform(observed["status"], "Salesforce")},
    "Rule": lambda g, rule: {**rule, "salesforce_to_cxone": [g.order(row) for row in rule["salesforce_to_cxone"]]},
}
PLAIN = {
    "null": lambda g, logical, where: None,
    "boolean": lambda g, logical, where: g.deal(where, (True, False)),
    "int": lambda g, logical, where: g.number(32, logical, where),
    "long": lambda g, logical, where: g.number(64, logical, where),
    "float": lambda g, logical, where: g.float(where),
    "double": lambda g, logical, where: g.double(where),
}


def generate(schemas, seed, count, valid):
    for schema in schemas.values():
        generator = Generator(schema, seed, valid)
        for n in range(count):
            datum = generator.record()
            body = schema.encode(datum)
            value = schema.value(datum)
            if schema.value(schema.decode(body)) != value:
                where = f"{schema.file}, seed {seed}, record {n}"
                sys.exit(f"avro.py: {where}: fastavro reads other than what it wrote: {body.hex()}")
            emit({"schema": schema.file, "hex": body.hex(), "value": value})


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("decode", "generate", "fingerprint"):
        command = commands.add_parser(name)
        command.add_argument("schemas", metavar="SCHEMA_DIR", type=load)
        if name == "generate":
            command.add_argument("--seed", type=int, required=True)
            command.add_argument("--count", type=int, required=True)
            command.add_argument("--valid", action="store_true")
    given = parser.parse_args()
    if given.command == "decode":
        decode(given.schemas)
    elif given.command == "generate":
        generate(given.schemas, given.seed, given.count, given.valid)
    else:
        for schema in given.schemas.values():
            emit({"schema": schema.file, "fingerprint": schema.fingerprint, "canonical": schema.canonical})


if __name__ == "__main__":
    main()
