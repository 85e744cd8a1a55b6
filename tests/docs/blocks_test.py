"""Runs the code of the documentation: each Lua block of the pages named on the command line is
a script of its own, which `echolot test` has to pass.

    blocks_test.py ECHOLOT PAGE...
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```lua\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        yield text.count("\n", 0, match.start()) + 2, match.group(1)


def run(echolot, code, folder, name):
    """None where it passed, else what was printed."""
    script = pathlib.Path(folder) / name
    script.write_text(code, encoding="utf-8")
    done = subprocess.run([echolot, "test", "-o", "jsonl", script], capture_output=True,
                          text=True, timeout=60, check=False)
    passed = sum(json.loads(line).get("status") == "pass"
                 for line in done.stdout.splitlines() if '"test_end"' in line)
    if done.returncode == 0 and passed > 0:
        return None
    return f"exit status {done.returncode}, {passed} passed\n{done.stdout}{done.stderr}"


def main():
    echolot, pages = sys.argv[1], [pathlib.Path(p) for p in sys.argv[2:]]
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        trouble = run(echolot, "it('fails', function() error('x') end)", folder, "bad.lua")
        count += 1
        print(f"{'ok' if trouble else 'not ok'} {count} - a block that fails is noticed")
        for page in pages:
            for line, code in blocks(page):
                count += 1
                trouble = run(echolot, code, folder, f"block_{count}.lua")
                print(f"{'not ok' if trouble else 'ok'} {count} - {page.name}:{line}")
                for text in (trouble or "").splitlines():
                    print("#", text)
    print(f"1..{count}")


main()
