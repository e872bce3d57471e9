# SPDX-License-Identifier: MIT
"""Several boxes, joined by veth pairs in their own network namespaces; sshd with Tend's key in one.

    link(a, b, 1)               a is 10.98.1.1, b is 10.98.1.2
    cut(a, 1); mend(a, 1)       a's end of it down, and up again
    key = make_key(a)           tendd's key pair in a; its public half
    serve_ssh(b, [key])         b lets it talk to tend-exec, and nothing else
    trust(a, b, 1)              a knows b's host key
"""

import subprocess

from tendbox import BoxError, tend

KEY = "/etc/tend/secrets/ssh-key"
KNOWN = "/etc/tend/known_hosts"
FORCED = 'restrict,command="/usr/libexec/tend/tend-exec --stdio"'
HOME = "/var/lib/tend-remote"
REMOTE_SOCKET = "tend-exec-remote.socket"


def address(number, end):
    return f"10.98.{number}.{end}"


def link(one, other, number):
    """A veth pair between two running boxes, made in their namespaces."""
    name = f"tend{number}"
    done = subprocess.run(
        ["ip", "link", "add", "name", name, "netns", str(one.leader), "type", "veth", "peer",
         "name", name, "netns", str(other.leader)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BoxError(f"no veth pair: {done.stderr}")
    for box, end in ((one, 1), (other, 2)):
        box.run("ip", "addr", "add", f"{address(number, end)}/24", "dev", name)
        box.run("ip", "link", "set", name, "up")


def cut(box, number):
    box.run("ip", "link", "set", f"tend{number}", "down")


def mend(box, number):
    box.run("ip", "link", "set", f"tend{number}", "up")


def make_key(box, path=KEY, owner=tend.USER):
    """A key pair for tendd; returns the public half."""
    box.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", box.name, "-f", path)
    box.run("chown", f"{owner}:{owner}", path)
    box.run("chmod", "0600", path)
    return box.read(f"{path}.pub").strip()


def serve_ssh(box, keys, forced=FORCED):
    """sshd, and the keys bound to tend-exec --stdio; all of it belongs to root."""
    box.run("mkdir", "-p", "/run/sshd", f"{HOME}/.ssh")
    box.run("ssh-keygen", "-A")
    box.write(f"{HOME}/.ssh/authorized_keys", "".join(f"{forced} {key}\n" for key in keys),
              mode=0o644)
    box.write("/etc/ssh/sshd_config.d/tend.conf",
              "UseDNS no\nPasswordAuthentication no\nMaxStartups 100\n", mode=0o644)
    box.run("systemctl", "start", "tend-exec.socket", REMOTE_SOCKET)
    box.run("systemctl", "start", "ssh.service")


def trust(box, other, number, key=None):
    """The other's host key, as it is on its disk (or another one), into known_hosts."""
    host_key = key or other.read("/etc/ssh/ssh_host_ed25519_key.pub").strip()
    kind, value = host_key.split()[:2]
    line = f"{address(number, 2)} {kind} {value}\n"
    box.write(KNOWN, box.read(KNOWN) + line if key is None else line, mode=0o644)


def host_section(name, number, **more):
    text = f"[host {name}]\naddress = {address(number, 2)}\nidentity_file = {KEY}\n"
    return text + "".join(f"{key} = {value}\n" for key, value in more.items())
