#!/usr/bin/env python3
"""Starts a pod and containers through containerd's CRI as a kubelet would: record_cri.py SOCKET DIR.

Messages are written by hand (field numbers of runtime.v1), so that no generated code is needed.
DIR/record/name names the next config.json (see record)."""
import sys

import grpc

SOCKET, DIR = sys.argv[1], sys.argv[2]
POD, CONTAINER, NODE = 0, 1, 2  # NamespaceMode


def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """A field: int, bool, str, bytes (a message), dict (a map of strings) or a list of those."""
    if isinstance(value, list):
        return b"".join(field(number, v) for v in value)
    if isinstance(value, dict):
        return b"".join(field(number, msg({1: k, 2: v})) for k, v in value.items())
    if isinstance(value, int):
        return varint(number << 3) + varint(int(value))
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def msg(fields):
    return b"".join(field(n, v) for n, v in fields.items())


def first_string(data):
    assert data[0] == 1 << 3 | 2
    return data[2:2 + data[1]].decode()


CHANNEL = grpc.insecure_channel("unix://" + SOCKET)


def call(method, request):
    return CHANNEL.unary_unary("/runtime.v1.RuntimeService/" + method)(request, timeout=20)


def expect(name):
    with open(DIR + "/record/name", "w", encoding="ascii") as f:
        f.write(name + "\n")


RUNTIME_DEFAULT = msg({1: 0})
UNCONFINED = msg({1: 1})


def pod(name, namespaces=None, annotations=None, sysctls=None, privileged=False):
    """A sandbox as the kubelet asks for it; (id, its PodSandboxConfig)."""
    options = namespaces or {1: POD, 2: CONTAINER, 3: POD}
    security = {1: msg(options), 6: privileged, 9: RUNTIME_DEFAULT}
    config = msg({
        1: msg({1: name, 2: "uid-" + name, 3: "default", 4: 0}),
        2: name,
        3: DIR + "/logs",
        4: msg({1: ["10.96.0.10"], 2: ["default.svc.cluster.local"], 3: ["ndots:5"]}),
        7: annotations or {},
        8: msg({1: "/kubepods/burstable/pod" + name, 2: msg(security), 3: sysctls or {}}),
    })
    expect(name + "-pause")
    return first_string(call("RunPodSandbox", msg({1: config}))), config


def container(sandbox, config, name, security=None, mounts=(), cpu_memory=True, seccomp=True):
    resources = {1: 100000, 2: 50000, 3: 512, 4: 64 << 20, 5: 968} if cpu_memory else {3: 2, 5: 1000}
    sec = {3: msg({1: POD, 2: CONTAINER, 3: POD}), 15: RUNTIME_DEFAULT if seccomp else UNCONFINED}
    sec[13] = ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
               "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
               "/sys/firmware", "/sys/devices/virtual/powercap"]
    sec[14] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
    sec.update(security or {})
    request = msg({1: sandbox, 3: config, 2: msg({
        1: msg({1: name, 2: 0}),
        2: msg({1: "localhost/bb:latest"}),
        3: ["sleep", "60"],
        6: [msg({1: "KUBERNETES_SERVICE_HOST", 2: "10.96.0.1"}), msg({1: "API_TOKEN", 2: "x"})],
        7: [msg({1: "/etc/hosts", 2: DIR + "/volume/hosts"}),
            msg({1: "/dev/termination-log", 2: DIR + "/volume/termination-log"}),
            msg({1: "/var/run/secrets/kubernetes.io/serviceaccount", 2: DIR + "/volume", 3: True}),
            *mounts],
        12: False,
        15: msg({1: msg(resources), 2: msg(sec)}),
    })})
    expect(name)
    ident = first_string(call("CreateContainer", request))
    call("StartContainer", msg({1: ident}))
    return ident


def attempt(function, *args, **keywords):
    """What the kubelet may ask for and the machine may not have is no reason to stop."""
    try:
        return function(*args, **keywords)
    except grpc.RpcError as e:
        print(keywords or args, e.details()[:300])
        return None


def main():
    for name in ("hosts", "termination-log"):
        with open(DIR + "/volume/" + name, "w", encoding="ascii"):
            pass
    sandbox, config = pod("cri", annotations={"dev.brig.level": "high", "other.example": "x"})
    attempt(container, sandbox, config, "cri-container")
    attempt(container, sandbox, config, "cri-best-effort", cpu_memory=False, seccomp=False)
    attempt(container, sandbox, config, "cri-restricted", security={
        5: msg({1: 1000}), 7: True, 11: True, 1: msg({2: ["ALL"]})})
    attempt(container, sandbox, config, "cri-volume", mounts=[
        msg({1: "/data", 2: DIR + "/volume"}), msg({1: "/cache", 2: DIR + "/volume", 5: 1})])
    attempt(container, sandbox, config, "cri-shared-pid", security={
        3: msg({1: POD, 2: POD, 3: POD})})
    attempt(pod, "cri-sysctls", sysctls={"net.ipv4.ip_unprivileged_port_start": "0",
                                         "net.ipv4.ping_group_range": "0 2147483647"})
    attempt(pod, "cri-host-network", namespaces={1: NODE, 2: NODE, 3: NODE})
    privileged = attempt(pod, "cri-privileged", privileged=True)
    if privileged:
        attempt(container, *privileged, "cri-privileged-container", security={2: True})


main()
