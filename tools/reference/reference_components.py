"""Log-likelihoods of statsmodels for variance components of many forms.

Usage: python tools/reference/reference_components.py <fixtures folder>

Needs statsmodels from PyPI (0.15.0 was used). Reads components.csv (simulated:
15 groups of 12 rows, a factor c that is reused over the groups and incomplete
in one, its nested twin c2, numbers x and z) and writes components-statsmodels.csv:
per model the best log-likelihood (REML) of four optimisers.
"""

import csv
import datetime
import os
import platform
import sys
import warnings

import pandas as pd
import statsmodels
import statsmodels.formula.api as smf

warnings.simplefilter("ignore")
folder = sys.argv[1]
data = pd.read_csv(os.path.join(folder, "components.csv"))

models = [
    ("1", {"c": "0+c"}),
    ("1", {"c": "0+c2"}),
    (None, {"c": "c"}),
    (None, {"c": "c2"}),
    ("1", {"c": "0+c+x"}),
    (None, {"c": "0+c:x", "a": "1"}),
    (None, {"c": "x+z", "b": "0+c2"}),
    (None, {"c": "c*x"}),
    ("~x", {"c": "0+c", "s": "0+c:x"}),
]

with open(os.path.join(folder, "components-statsmodels.csv"), "w", newline="") as out:
    out.write(
        f"# statsmodels {statsmodels.__version__}, Python {platform.python_version()}, "
        f"{datetime.date.today()}, tools/reference/reference_components.py\n"
    )
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["re_formula", "vc_formula", "llf"])
    for re_formula, vc in models:
        model = smf.mixedlm("y~x", data, groups="g", re_formula=re_formula, vc_formula=vc)
        best = max(model.fit(method=m).llf for m in ["bfgs", "lbfgs", "cg", "powell"])
        text = ";".join(f"{name}={form}" for name, form in vc.items())
        table.writerow([re_formula or "", text, repr(float(best))])
