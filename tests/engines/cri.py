#!/usr/bin/python3
"""A client of Kubernetes' container runtime interface, for tests.

    cri.py METHOD [JSON]

calls METHOD (RunPodSandbox, ExecSync, ...) of the runtime at $CONTAINER_RUNTIME_ENDPOINT, a path of
a socket, with a request of that JSON and prints the answer as one line of JSON.  A call that is
refused prints the reason on standard error: exit status 1.  Field names are those of cri.proto,
which protoc turns into Python once, in $CRI_BUILD; what is of type bytes goes as text.
"""
import json
import os
import subprocess
import sys

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
SERVICES = ("RuntimeService", "ImageService")


def interface(build):
    """The module that protoc makes of cri.proto."""
    proto, made = os.path.join(HERE, "cri.proto"), os.path.join(build, "cri_pb2.py")
    if not os.path.exists(made) or os.path.getmtime(made) < os.path.getmtime(proto):
        os.makedirs(build, exist_ok=True)
        subprocess.run(
            ["protoc", "-I", HERE, "--python_out", build, proto], check=True)
    sys.path.insert(0, build)
    import cri_pb2
    return cri_pb2


def method(pb2, name):
    """Path, request class and answer class of a method."""
    for service in SERVICES:
        found = pb2.DESCRIPTOR.services_by_name[service].methods_by_name.get(name)
        if found:
            return (f"/{pb2.DESCRIPTOR.package}.{service}/{name}",
                    getattr(pb2, found.input_type.name), getattr(pb2, found.output_type.name))
    sys.exit(f"cri.py: no method {name} in cri.proto")


def plain(message):
    """A message as what JSON knows; what is zero is there too, unlike in protobuf's own JSON."""
    def one(field, value):
        if field.message_type:
            return plain(value)
        if field.enum_type:
            return field.enum_type.values_by_number[value].name
        return value.decode(errors="replace") if isinstance(value, bytes) else value

    out = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.label != field.LABEL_REPEATED:
            if not field.message_type or message.HasField(field.name):
                out[field.name] = one(field, value)
        elif field.message_type and field.message_type.GetOptions().map_entry:
            out[field.name] = dict(value.items())
        else:
            out[field.name] = [one(field, item) for item in value]
    return out


def main(argv):
    if len(argv) not in (2, 3):
        sys.exit(__doc__)
    pb2 = interface(os.environ.get("CRI_BUILD", os.path.join(HERE, "../../build/cri")))
    from google.protobuf import json_format
    path, request, answer = method(pb2, argv[1])
    message = json_format.ParseDict(json.loads(argv[2]) if len(argv) == 3 else {}, request())
    with grpc.insecure_channel("unix://" + os.environ["CONTAINER_RUNTIME_ENDPOINT"]) as channel:
        call = channel.unary_unary(path, request_serializer=request.SerializeToString,
                                   response_deserializer=answer.FromString)
        try:
            # Before lib.bash's inside() loses its patience, so that the reason is seen.
            patience = float(os.environ.get("PATIENCE", 30)) - 5
            print(json.dumps(plain(call(message, timeout=patience))))
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")


if __name__ == "__main__":
    main(sys.argv)
