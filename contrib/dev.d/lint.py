# SPDX-License-Identifier: MIT
"""Every static check of the tree: one line a tool, exit 1 if any of them complains.

Run by contrib/dev lint, from the root of the checkout, with build/debug configured.
"""

import concurrent.futures
import fnmatch
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

CACHE = os.environ.get("TEND_DEV_CACHE", "/var/cache/tend-dev")
MAX_LINES = 800
SHOWN_LINES = 60
# A macro of mdoc, a header of HTTP, a verb of units.h, samples of tests, and what is misspelt there on purpose.
NOT_MISSPELT = "nd,te,unexpect,trun,dependant,fo,bu,intervall,tiemout,mial,comand,iif,netwrok,ans,bord"
TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "README.md", "CHANGELOG.md", "HACKING.md",
             "LICENSE", "daemon", "plugins", "lua", "etc", "tests", "contrib"}


def tree_files():
    """What git has or would take."""
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                         capture_output=True, text=True, check=True).stdout
    return sorted(path for path in set(out.splitlines()) if os.path.isfile(path))


def pick(files, *patterns):
    return [path for path in files if any(fnmatch.fnmatch(path, one) for one in patterns)]


def run(command, env=None):
    """Output of the command, "" when it is content (exit 0)."""
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, **(env or {})})
    text = done.stdout + done.stderr
    return "" if done.returncode == 0 else text or f"{command[0]}: exit {done.returncode}"


def version(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found.group(0) if found else "?"


def package_version(package):
    return run_out(["dpkg-query", "-W", "-f", "${Version}", package])


def run_out(command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def is_shell(path):
    if path.endswith(".sh"):
        return True
    if "." in os.path.basename(path):
        return False
    with open(path, "rb") as file:
        return bool(re.match(rb"#!.*\b(ba|da)?sh\b", file.readline(80)))


def clang_format(files):
    return run(["clang-format-14", "--dry-run", "--Werror", *files])


def clang_tidy(files):
    """Each file once for each state of itself and of all headers; results are kept in build/."""
    base = hashlib.sha256()
    for path in pick(tree_files(), "*.h", ".clang-tidy"):
        with open(path, "rb") as file:
            base.update(file.read())
    os.makedirs("build/lint", exist_ok=True)

    def one(path):
        digest = base.copy()
        with open(path, "rb") as file:
            digest.update(file.read())
        mark = f"build/lint/{digest.hexdigest()}"
        if os.path.exists(mark):
            return ""
        text = run(["clang-tidy-14", "--quiet", "--warnings-as-errors=*", "-p", "build/debug",
                    path])
        if not text:
            with open(mark, "w", encoding="utf-8"):
                pass
        return text

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return "".join(pool.map(one, files))


def compiled(files):
    """Those whose way of being compiled is known."""
    try:
        with open("build/debug/compile_commands.json", encoding="utf-8") as file:
            known = {os.path.relpath(entry["file"]) for entry in json.load(file)}
    except FileNotFoundError:
        known = set()
    return [path for path in files if path in known]


def mandoc(files):
    return "".join(run_out(["mandoc", "-T", "lint", "-W", "warning", path]) for path in files)


def smilint(files):
    env = dict(os.environ, SMIPATH=f"{CACHE}/mibs:/usr/share/snmp/mibs")
    text = ""
    for path in files:
        # It exits 0 even when it warns: any output is a complaint.
        done = subprocess.run(["smilint", "-l", "6", "-s", path], capture_output=True, text=True,
                              check=False, env=env)
        text += done.stdout + done.stderr
    return text


def py_compile(files):
    with tempfile.TemporaryDirectory() as scratch:
        return run([sys.executable, "-m", "py_compile", *files],
                   env={"PYTHONPYCACHEPREFIX": scratch})


def house(files):
    """Length of files, licence line, layout, a README in every folder."""
    problems = []
    for path in pick(files, "*.c", "*.h", "*.lua", "*.sh", "*.py", "*.js", "*CMakeLists.txt",
                     "*.cmake"):
        if "/corpus/" in path:
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")
        if len(lines) > MAX_LINES + 1:
            problems.append(f"{path}: {len(lines) - 1} lines, at most {MAX_LINES}")
        if not any("SPDX-License-Identifier: MIT" in line for line in lines[:3]):
            problems.append(f"{path}: no SPDX line")
    problems += [f"{entry}: not in the layout of the tree" for entry in
                 sorted({path.split("/")[0] for path in files})
                 if entry not in TOP_LEVEL and not entry.startswith(".")]
    folders = {"/".join(path.split("/")[:2]) for path in files
               if path.count("/") >= 2 and path.split("/")[0] in TOP_LEVEL}
    folders |= {path.split("/")[0] for path in files if "/" in path and path[0] != "."}
    problems += [f"{folder}/: no README.md" for folder in sorted(folders)
                 if not os.path.isfile(f"{folder}/README.md")]
    return "".join(problem + "\n" for problem in problems)


def rows(files):
    """(tool, version, its files, the check)."""
    code = [path for path in pick(files, "*.c", "*.h") if "/corpus/" not in path]
    python = pick(files, "*.py")
    shell = [path for path in files if is_shell(path)]
    # The fixtures of tests/conf are misspelt on purpose.
    text = [path for path in files if "/corpus/" not in path and not path.startswith("tests/conf/")]
    return (
        ("clang-format", version("clang-format-14", "--version"), code, clang_format),
        ("clang-tidy", version("clang-tidy-14", "--version"), compiled(code), clang_tidy),
        ("shellcheck", version("shellcheck", "--version"), shell,
         lambda these: run(["shellcheck", "-x", *these])),
        ("luacheck", version("luacheck", "--version"), pick(files, "*.lua"),
         lambda these: run(["luacheck", "--no-color", "-q", *these])),
        ("pyflakes", version("pyflakes3", "--version"), python,
         lambda these: run(["pyflakes3", *these])),
        ("py_compile", version(sys.executable, "--version"), python, py_compile),
        ("codespell", version("codespell", "--version"), text,
         lambda these: run(["codespell", "-q", "3", "-L", NOT_MISSPELT, *these])),
        ("mandoc", package_version("mandoc"), pick(files, "contrib/man/*.[1-9]"), mandoc),
        ("smilint", package_version("smitools"), pick(files, "contrib/mibs/*-MIB.txt"), smilint),
        ("house", "1", files, house),
    )


def main():
    failed = 0
    for name, number, files, check in rows(tree_files()):
        complaint = check(files) if files else ""
        print(f"{name} {number}: {len(files)} files, {'complains' if complaint else 'clean'}",
              flush=True)
        if complaint:
            failed += 1
            lines = complaint.rstrip().split("\n")
            print("\n".join(lines[:SHOWN_LINES]), flush=True)
            if len(lines) > SHOWN_LINES:
                print(f"... and {len(lines) - SHOWN_LINES} more lines", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
