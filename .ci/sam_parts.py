"""The servers that the functions use when SAM runs them.

moto replaces AWS. Two registries of CNCF distribution replace Docker Hub and the data plane of Amazon ECR.
All of them listen on loopback. A relay on docker's bridge forwards the containers' connections to them.
"""

import base64
import fcntl
import hashlib
import json
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path

ACCOUNT = "111122223333"
REGION = "eu-west-1"
OCI = "application/vnd.oci.image"
SIOCGIFADDR = 0x8915  # the ioctl that returns the address of an interface


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def serve(stack, log, port, *command, **environment):
    """Starts a server that ends with the stack, and waits for its port."""
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | environment)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{command[0]} does not serve:\n{Path(log).read_text()}")


def moto(stack, directory):
    """Starts an empty AWS account. Returns its URL."""
    port = free_port()
    serve(stack, directory / "moto.log", port, "moto_server", "--host", "127.0.0.1", "--port", str(port), MOTO_ACCOUNT_ID=ACCOUNT)
    return f"http://127.0.0.1:{port}"


def registry(stack, directory, name, password=None):
    """Starts an empty registry: with a password for the user AWS only, else for everybody. Returns its URL."""
    port, home = free_port(), directory / name
    home.mkdir()
    configuration = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(home / "store")}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "one replica", "relativeurls": True},
    }
    if password:
        users = home / "htpasswd"
        users.write_bytes(subprocess.check_output(["htpasswd", "-Bbn", "AWS", password]))
        configuration["auth"] = {"htpasswd": {"realm": name, "path": str(users)}}
    (home / "config.yml").write_text(json.dumps(configuration))  # JSON is valid YAML
    serve(stack, home / "log", port, "docker-registry", "serve", str(home / "config.yml"))
    return f"http://127.0.0.1:{port}"


def publish(registry, repository, tag):
    """Pushes a small image with the requests of the distribution specification. Returns its digest."""
    layer = f"the layer of {repository}:{tag}".encode()
    configuration = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    manifest = json.dumps({
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": descriptor(f"{OCI}.config.v1+json", configuration),
        "layers": [descriptor(f"{OCI}.layer.v1.tar", layer)],
    }).encode()
    repository = f"{registry}/v2/{repository}"
    for blob in (layer, configuration):
        location = send("POST", f"{repository}/blobs/uploads/").headers["Location"]
        upload = urllib.parse.urljoin(registry, location)
        send("PUT", f"{upload}{'&' if '?' in upload else '?'}digest={digest(blob)}", blob, "application/octet-stream")
    send("PUT", f"{repository}/manifests/{tag}", manifest, f"{OCI}.manifest.v1+json")
    return digest(manifest)


def descriptor(media_type, content):
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def pull(registry, password, repository, tag):
    """The manifest of an image, pulled as the user AWS; None if there is no such image."""
    login = base64.b64encode(f"AWS:{password}".encode()).decode()
    url = f"{registry}/v2/{repository}/manifests/{tag}"
    try:
        return send("GET", url, accept=f"{OCI}.manifest.v1+json", authorization=f"Basic {login}").read()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def send(method, url, body=None, media_type=None, **headers):
    headers |= {"content-type": media_type} if media_type else {}
    return urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method))


def relay(urls):
    """Forwards connections of containers to the same ports of loopback.

    Returns the address of this machine in their network. The listeners are bound to docker's bridge, so that
    they accept no connections from other interfaces.
    """
    network = json.loads(subprocess.check_output(["docker", "network", "inspect", "bridge"]))[0]
    bridge = network["Options"]["com.docker.network.bridge.name"].encode()
    with socket.socket() as probe:
        gateway = socket.inet_ntoa(fcntl.ioctl(probe, SIOCGIFADDR, bridge.ljust(256, b"\0"))[20:24])

    for url in urls:
        port, listener = int(url.rsplit(":", 1)[1]), socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bridge)
        listener.bind((gateway, port))
        listener.listen()
        in_background(accept, listener, port)
    return gateway


def accept(listener, port):
    while True:
        client, server = listener.accept()[0], socket.create_connection(("127.0.0.1", port))
        in_background(pump, client, server)
        in_background(pump, server, client)


def pump(source, target):
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


def in_background(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()
