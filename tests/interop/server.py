#!/usr/bin/python3
"""The interop service by gRPC's C core (python3-grpcio), with reflection v1 and without v1alpha.

usage: server.py BUILD-DIR [CERT KEY]

BUILD-DIR has testing_pb2.py, reflection_pb2.py and testing.pb (a descriptor set), as servers.mjs makes them.
Prints {"port": N} and ends when its standard input ends.
"""
import concurrent.futures
import json
import os
import sys
import time

build, certificate = sys.argv[1], sys.argv[2:4]
sys.dont_write_bytecode = True
sys.path.insert(0, build)
import grpc  # noqa: E402
import reflection_pb2 as r  # noqa: E402
import testing_pb2 as t  # noqa: E402
from google.protobuf import descriptor_pb2  # noqa: E402

CODES = {code.value[0]: code for code in grpc.StatusCode}
MAX_BYTES = 64 << 20


def echo_metadata(context):
    for name, value in context.invocation_metadata():
        if name == "x-grpc-test-echo-initial":
            context.send_initial_metadata(((name, value),))
        if name == "x-grpc-test-echo-trailing-bin":
            context.set_trailing_metadata(((name, value),))


def end_as_asked(request, context):
    """Ends the call here, without a message, when the request wants another end than OK."""
    if request.response_status.code != 0:
        context.abort(CODES[request.response_status.code], request.response_status.message)


def empty_call(request, context):
    echo_metadata(context)
    return t.Empty()


def unary_call(request, context):
    if request.response_compressed.value:
        context.set_compression(grpc.Compression.Gzip)
    echo_metadata(context)
    end_as_asked(request, context)
    return t.SimpleResponse(payload=t.Payload(body=bytes(request.response_size)))


def outputs(request, context):
    for parameters in request.response_parameters:
        time.sleep(parameters.interval_us / 1e6)
        if not parameters.compressed.value:
            context.disable_next_message_compression()
        yield t.StreamingOutputCallResponse(payload=t.Payload(body=bytes(parameters.size)))


def streaming_output_call(request, context):
    if any(parameters.compressed.value for parameters in request.response_parameters):
        context.set_compression(grpc.Compression.Gzip)
    echo_metadata(context)
    yield from outputs(request, context)
    end_as_asked(request, context)


def streaming_input_call(requests, context):
    echo_metadata(context)
    size = sum(len(request.payload.body) for request in requests)
    return t.StreamingInputCallResponse(aggregated_payload_size=size)


def full_duplex_call(requests, context):
    echo_metadata(context)
    for request in requests:
        end_as_asked(request, context)
        yield from outputs(request, context)


class Files:
    """The files of the descriptor set by name, and the file of each symbol."""

    def __init__(self):
        with open(os.path.join(build, "testing.pb"), "rb") as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read()).file
        self.by_name = {file.name: file for file in files}
        self.by_symbol, self.services = {}, []
        for file in files:
            for service in file.service:
                self.services.append(f"{file.package}.{service.name}")
                for method in service.method:
                    self.by_symbol[f"{self.services[-1]}.{method.name}"] = file
                self.by_symbol[self.services[-1]] = file
            for enum in file.enum_type:
                self.by_symbol[f"{file.package}.{enum.name}"] = file
            self._add(file, file.package, file.message_type)

    def _add(self, file, prefix, messages):
        for message in messages:
            self.by_symbol[f"{prefix}.{message.name}"] = file
            self._add(file, f"{prefix}.{message.name}", message.nested_type)
            for enum in message.enum_type:
                self.by_symbol[f"{prefix}.{message.name}.{enum.name}"] = file

    def with_imports(self, file):
        found, rest = [], [file]
        while rest:
            file = rest.pop()
            if file not in found:
                found.append(file)
                rest += [self.by_name[name] for name in file.dependency]
        return [file.SerializeToString() for file in found]


def reflect(requests, context):
    files = Files()
    for request in requests:
        kind = request.WhichOneof("message_request")
        answer = r.ServerReflectionResponse(valid_host=request.host, original_request=request)
        file = None
        if kind == "list_services":
            names = [*files.services, "grpc.reflection.v1.ServerReflection"]
            answer.list_services_response.service.extend(r.ServiceResponse(name=name) for name in names)
        elif kind == "file_by_filename":
            file = files.by_name.get(request.file_by_filename)
        elif kind == "file_containing_symbol":
            file = files.by_symbol.get(request.file_containing_symbol)
        if file:
            answer.file_descriptor_response.file_descriptor_proto.extend(files.with_imports(file))
        elif kind != "list_services":
            answer.error_response.error_code = grpc.StatusCode.NOT_FOUND.value[0]
            answer.error_response.error_message = f"no such {kind}"
        yield answer


def unary(function, request_type):
    return grpc.unary_unary_rpc_method_handler(function, request_type.FromString, lambda reply: reply.SerializeToString())


def handlers():
    serialize = {"response_serializer": lambda reply: reply.SerializeToString()}
    request = t.StreamingOutputCallRequest.FromString
    yield "grpc.testing.TestService", {
        "EmptyCall": unary(empty_call, t.Empty),
        "UnaryCall": unary(unary_call, t.SimpleRequest),
        "StreamingOutputCall": grpc.unary_stream_rpc_method_handler(streaming_output_call, request, **serialize),
        "StreamingInputCall": grpc.stream_unary_rpc_method_handler(
            streaming_input_call, t.StreamingInputCallRequest.FromString, **serialize),
        "FullDuplexCall": grpc.stream_stream_rpc_method_handler(full_duplex_call, request, **serialize),
    }
    yield "grpc.reflection.v1.ServerReflection", {
        "ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(
            reflect, r.ServerReflectionRequest.FromString, **serialize),
    }


def main():
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(32),
        options=[("grpc.max_receive_message_length", MAX_BYTES), ("grpc.so_reuseport", 0)])
    for name, methods in handlers():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))
    if certificate:
        chain, key = (open(name, "rb").read() for name in certificate)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"port": port}), flush=True)
    sys.stdin.read()
    server.stop(0)
    # Handlers that still sleep for a client that is gone would keep the interpreter for as long.
    os._exit(0)


main()
