# SPDX-License-Identifier: Apache-2.0
"""Where a LiteLLM of some version lives, and how it is run: made once by pip, without this process's environment."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAP = "model_prices_and_context_window_backup.json"


def environment(version):
    """The interpreter of a virtual environment with this LiteLLM."""
    folder = os.path.join(ROOT, "build", "oracle", f"litellm-{version}")
    python, done = os.path.join(folder, "bin", "python"), os.path.join(folder, "installed")
    if not os.path.exists(done):
        print(f"installing litellm {version} into {os.path.relpath(folder, ROOT)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        f"litellm=={version}"], check=True)
        open(done, "w").close()
    return python


def bundled_map(python):
    """The map that this LiteLLM brings."""
    code = "import importlib.util as u, os; print(os.path.dirname(u.find_spec('litellm').origin))"
    found = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return os.path.join(found.stdout.strip(), MAP)


def clean_environment(home):
    """No key, no proxy, no setting of the caller's reaches a foreign package."""
    return {"PATH": "/usr/bin:/bin", "HOME": home, "TZ": "UTC", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONDONTWRITEBYTECODE": "1"}
