# SPDX-License-Identifier: MIT
"""The tutorial of lua/README.md as steps: what is to be written into which file, what is typed.

A block in lua or ini is written into the file whose name stands in `...` and a colon at the end of the line
before it; sh is typed as it is; console lines that begin with "# " are typed as root on a machine with a
daemon.
"""
import re

TITLE = "## Ten minutes"


def steps(text):
    """[(kind, name, content)] of the tutorial; kind is file, sh or console."""
    part = text[text.index(TITLE):]
    part = part[:part.index("\n## ", 1)]
    found = []
    for before, language, content in re.findall(r"([^\n]*)\n\n```(\w+)\n(.*?)^```$", part,
                                                re.MULTILINE | re.DOTALL):
        if language == "sh":
            found.append(("sh", None, content))
        elif language == "console":
            typed = [line[2:] for line in content.splitlines() if line.startswith("# ")]
            found.append(("console", None, "\n".join(typed) + "\n"))
        else:
            found.append(("file", re.search(r"`([^`]+)`:$", before).group(1), content))
    return found
