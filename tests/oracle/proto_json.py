#!/usr/bin/python3
"""Random messages through our JSON and through protobuf's own for Python, each reading what the other wrote.

usage: proto_json.py TESTEE DESCRIPTOR_SET SEED COUNT

The testee speaks the protocol of the conformance suite.  Each message goes four ways:
  1. Python's bytes, our JSON, Python reads it:           the same message
  2. Python's JSON, we read it, our bytes, Python reads:  the same message
  3. our JSON and Python's JSON:                          the same values, member by member
  4. our JSON, we read it, our JSON:                      the same text
"""
import json
import math
import random
import struct
import subprocess
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor as F

TYPES = ['protobuf_test_messages.proto3.TestAllTypesProto3', 'protobuf_test_messages.proto2.TestAllTypesProto2']
INTS = {F.CPPTYPE_INT32: (-2**31, 2**31 - 1), F.CPPTYPE_INT64: (-2**63, 2**63 - 1),
        F.CPPTYPE_UINT32: (0, 2**32 - 1), F.CPPTYPE_UINT64: (0, 2**64 - 1)}
PROTOBUF, JSON = 1, 2

# What protobuf 3.21 for Python does otherwise, and why it is wrong there; such values are not made.
#   - The greatest float is written as 3.4028235e+38 and then refused as too large: the check compares it as a double.
FLOAT_MAX = 3.402823e+38


class Testee:
    def __init__(self, program, descriptor_set, request, response):
        self.child = subprocess.Popen([program, descriptor_set], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.request, self.response = request, response

    def ask(self, name, output, **payload):
        """The response to {protobuf_payload or json_payload} of that type: the text or bytes of the other form."""
        request = self.request(message_type=name, requested_output_format=output, test_category=output, **payload)
        data = request.SerializeToString()
        self.child.stdin.write(struct.pack('<I', len(data)) + data)
        self.child.stdin.flush()
        head = self.child.stdout.read(4)
        if len(head) < 4:
            raise SystemExit(f'the testee died on {payload}')
        response = self.response.FromString(self.child.stdout.read(struct.unpack('<I', head)[0]))
        kind = response.WhichOneof('result')
        wanted = 'json_payload' if output == JSON else 'protobuf_payload'
        if kind != wanted:
            raise Difference(f'{kind}: {getattr(response, kind)}')
        return getattr(response, kind)


class Difference(Exception):
    pass


class Maker:
    """Random messages: each kind of field, at and near the ends of its range."""

    def __init__(self, rng, pool, types):
        self.rng, self.pool, self.types = rng, pool, types

    def integer(self, low, high):
        pick = self.rng.randrange(4)
        if pick == 0:
            return self.rng.choice([low, high, 0, 1, max(low, -1)])
        value = self.rng.getrandbits(self.rng.randrange(1, 65))
        return max(low, min(high, -value if self.rng.random() < 0.5 else value))

    def double(self):
        pick = self.rng.randrange(4)
        if pick == 0:
            return self.rng.choice([0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308])
        if pick == 1:
            return self.rng.choice([1, -1]) * self.rng.random() * 10 ** self.rng.randrange(-20, 30)
        if pick == 2:
            return float(self.rng.randrange(-1000, 1000)) / 8
        value = struct.unpack('<d', self.rng.randbytes(8))[0]
        return 0.5 if math.isnan(value) else value  # JSON has one NaN only

    def single(self):
        pick = self.rng.randrange(3)
        if pick == 0:
            return self.rng.choice([0.0, -0.0, math.inf, -math.inf, math.nan, 1e-45, FLOAT_MAX])
        if pick == 1:
            return struct.unpack('<f', struct.pack('<f', self.rng.random() * 10 ** self.rng.randrange(-20, 30)))[0]
        value = struct.unpack('<f', self.rng.randbytes(4))[0]
        return value if abs(value) <= FLOAT_MAX else 0.5

    def text(self):
        alphabet = ['a', 'B', '0', '_', ' ', '"', '\\', '/', '\n', '\0', '\x1f', '\x7f', '\x80', 'ä', '\u2028', '\ufeff', '\U0001f600', '<', '=']
        return ''.join(self.rng.choice(alphabet) for _ in range(self.rng.randrange(6)))

    def scalar(self, field):
        if field.cpp_type in INTS:
            return self.integer(*INTS[field.cpp_type])
        if field.cpp_type == F.CPPTYPE_DOUBLE:
            return self.double()
        if field.cpp_type == F.CPPTYPE_FLOAT:
            return self.single()
        if field.cpp_type == F.CPPTYPE_BOOL:
            return self.rng.random() < 0.5
        if field.cpp_type == F.CPPTYPE_ENUM:
            known = self.rng.choice(field.enum_type.values).number
            opened = field.file.syntax == 'proto3' and field.enum_type.file.syntax == 'proto3'
            null = field.enum_type.full_name == 'google.protobuf.NullValue'
            return self.rng.choice([known, known, 12345]) if opened and not null else known
        if field.type == F.TYPE_BYTES:
            return self.rng.randbytes(self.rng.randrange(6))
        return self.text()

    def is_map(self, field):
        return field.type == F.TYPE_MESSAGE and field.message_type.GetOptions().map_entry

    def fill_value(self, msg, depth):
        kind = self.rng.randrange(6 if depth < 3 else 4)
        if kind == 0:
            msg.null_value = 0
        elif kind == 1:
            msg.number_value = self.rng.choice([0.0, 1.5, -1e300, 5e-324, float(self.rng.getrandbits(53))])
        elif kind == 2:
            msg.string_value = self.text()
        elif kind == 3:
            msg.bool_value = self.rng.random() < 0.5
        elif kind == 4:
            self.fill_struct(msg.struct_value, depth + 1)
        else:
            msg.list_value.SetInParent()
            for _ in range(self.rng.randrange(3)):
                self.fill_value(msg.list_value.values.add(), depth + 1)

    def fill_struct(self, msg, depth):
        msg.SetInParent()
        for _ in range(self.rng.randrange(3)):
            self.fill_value(msg.fields[self.text()], depth)

    def path(self):
        return '.'.join('_'.join(self.rng.choice(['foo', 'b', 'ba7']) for _ in range(self.rng.randrange(1, 3)))
                        for _ in range(self.rng.randrange(1, 3)))

    def fill_known(self, msg, depth):
        """Types with a JSON form of their own; False: it is none of them."""
        name = msg.DESCRIPTOR.full_name
        nanos = self.rng.choice([0, 1, 999999999, 1000, 500000000, 120000000, 123456000])
        if name == 'google.protobuf.Timestamp':
            msg.seconds = self.rng.choice([-62135596800, 253402300799, 0, -1, self.rng.randrange(-62135596800, 253402300800)])
            msg.nanos = nanos
        elif name == 'google.protobuf.Duration':
            sign = self.rng.choice([1, -1])
            msg.seconds = sign * self.rng.choice([0, 1, 315576000000 - 1, self.rng.randrange(10**9)])
            msg.nanos = sign * nanos
        elif name == 'google.protobuf.FieldMask':
            msg.paths.extend(self.path() for _ in range(self.rng.randrange(3)))
        elif name == 'google.protobuf.Struct':
            self.fill_struct(msg, depth)
        elif name == 'google.protobuf.Value':
            self.fill_value(msg, depth)
        elif name == 'google.protobuf.ListValue':
            for _ in range(self.rng.randrange(3)):
                self.fill_value(msg.values.add(), depth + 1)
        elif name == 'google.protobuf.Any':
            inner_name = self.rng.choice(self.types[:1] + [
                'google.protobuf.Duration', 'google.protobuf.Int64Value', 'google.protobuf.Struct', 'google.protobuf.Timestamp',
                'google.protobuf.FieldMask', 'google.protobuf.StringValue', 'google.protobuf.Value'])
            inner = self.pool.make(inner_name)
            self.fill(inner, depth + 2)
            msg.type_url = 'type.googleapis.com/' + inner_name
            msg.value = inner.SerializeToString(deterministic=True)
        else:
            return False
        return True

    def fill(self, msg, depth=0):
        if self.fill_known(msg, depth):
            return
        for field in msg.DESCRIPTOR.fields:
            if self.rng.random() > (0.25 if depth == 0 else 0.06):
                continue
            if self.is_map(field):
                self.fill_map(getattr(msg, field.name), field, depth)
            elif field.message_type is None:
                if field.label == F.LABEL_REPEATED:
                    getattr(msg, field.name).extend(self.scalar(field) for _ in range(self.rng.randrange(4)))
                else:
                    setattr(msg, field.name, self.scalar(field))
            elif depth < 3:
                if field.label == F.LABEL_REPEATED:
                    for _ in range(self.rng.randrange(3)):
                        self.fill(getattr(msg, field.name).add(), depth + 1)
                else:
                    getattr(msg, field.name).SetInParent()
                    self.fill(getattr(msg, field.name), depth + 1)

    def fill_map(self, target, field, depth):
        key, value = field.message_type.fields_by_name['key'], field.message_type.fields_by_name['value']
        for _ in range(self.rng.randrange(3)):
            if value.message_type is None:
                target[self.scalar(key)] = self.scalar(value)
            elif depth < 3:
                self.fill(target[self.scalar(key)], depth + 1)


class Pool:
    def __init__(self, path):
        files = descriptor_pb2.FileDescriptorSet()
        with open(path, 'rb') as source:
            files.ParseFromString(source.read())
        self.pool = descriptor_pool.DescriptorPool()
        for each in files.file:
            self.pool.Add(each)
        self.factory = message_factory.MessageFactory(self.pool)

    def type(self, name):
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))

    def make(self, name):
        return self.type(name)()


def inner_messages(msg):
    for field, value in msg.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name['value'].message_type is not None:
                yield from value.values()
        elif field.label == F.LABEL_REPEATED:
            yield from value
        else:
            yield value


def sort_maps(msg, pool):
    """Python writes the maps inside of an Any in any order."""
    for inner in inner_messages(msg):
        sort_maps(inner, pool)
    if msg.DESCRIPTOR.full_name == 'google.protobuf.Any' and msg.type_url:
        inner = pool.make(msg.type_url.split('/')[-1])
        inner.ParseFromString(msg.value)
        sort_maps(inner, pool)
        msg.value = inner.SerializeToString(deterministic=True)


def canonical(msg, pool):
    copy = type(msg)()
    copy.CopyFrom(msg)
    sort_maps(copy, pool)
    return copy.SerializeToString(deterministic=True)


def unlike(msg, other):
    """The first field in which two messages differ."""
    for field in msg.DESCRIPTOR.fields:
        ours, theirs = getattr(other, field.name), getattr(msg, field.name)
        if repr(ours) != repr(theirs):
            return f'{field.full_name} is {repr(ours)[:500]}, not {repr(theirs)[:500]}'
    return 'another message'


def same_value(ours, theirs):
    """Numbers are equal as double, or as the float that both stand for."""
    if isinstance(ours, float) and isinstance(theirs, float) and ours != theirs:
        try:
            return struct.pack('<f', ours) == struct.pack('<f', theirs)
        except OverflowError:
            return False
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same_value(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same_value, ours, theirs))
    return ours == theirs and isinstance(ours, bool) == isinstance(theirs, bool)


def check(testee, pool, name, msg):
    data = canonical(msg, pool)
    theirs = json_format.MessageToJson(msg, descriptor_pool=pool.pool)
    ours = testee.ask(name, JSON, protobuf_payload=data)
    back = json_format.Parse(ours, pool.make(name), descriptor_pool=pool.pool, max_recursion_depth=200)
    if canonical(back, pool) != data:
        raise Difference(f'Python reads our JSON: {unlike(msg, back)}')
    back = pool.make(name)
    back.ParseFromString(testee.ask(name, PROTOBUF, json_payload=theirs))
    if canonical(back, pool) != data:
        raise Difference(f'we read the JSON of Python: {unlike(msg, back)}')
    if not same_value(json.loads(ours, parse_int=float), json.loads(theirs, parse_int=float)):
        raise Difference(f"other values: {ours} and {theirs}")
    again = testee.ask(name, JSON, json_payload=ours)
    if again != ours:
        raise Difference(f'our JSON is not read back: {ours} and {again}')


def main():
    program, path, seed, count = sys.argv[1:]
    rng = random.Random(int(seed))
    pool = Pool(path)
    testee = Testee(program, path, pool.type('conformance.ConformanceRequest'), pool.type('conformance.ConformanceResponse'))
    maker = Maker(rng, pool, TYPES)
    found = 0
    for i in range(int(count)):
        name = TYPES[i % len(TYPES)]
        msg = pool.make(name)
        maker.fill(msg)
        try:
            check(testee, pool, name, msg)
        except (Difference, json_format.Error) as difference:
            print(f'message {i}: {type(difference).__name__}: {str(difference)[:2000]}')
            found += 1
            if found == 5:
                break
    testee.child.stdin.close()
    status = testee.child.wait(timeout=60)
    print(f'{i + 1} messages, {found} differences, the testee ended with {status}')
    return 1 if found or status else 0


sys.exit(main())
