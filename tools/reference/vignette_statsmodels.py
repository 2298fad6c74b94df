"""What statsmodels prints for the models of the vignette for its users.

Usage: python tools/reference/vignette_statsmodels.py <folder of data.R> vignettes/from-statsmodels.txt

Needs statsmodels from PyPI (0.15.0 was used). Every part of the output begins with a line "## <name>".
"""

import os
import sys
import warnings

import numpy as np
import pandas as pd
import statsmodels
import statsmodels.formula.api as smf

data_folder, out_file = sys.argv[1:3]
dietox = pd.read_csv(os.path.join(data_folder, "dietox.csv"))
sitka = pd.read_csv(os.path.join(data_folder, "Sitka.csv"))
np.set_printoptions(precision=6, suppress=True)
parts = []


def fit(*args, **more):
    """A fit by the defaults, and the first line of each warning that it gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        how = {k: more.pop(k) for k in ("free", "reml") if k in more}
        result = smf.mixedlm(*args, **more).fit(**how)
    said = list(dict.fromkeys(f"{w.category.__name__}: {str(w.message).splitlines()[0]}" for w in caught))
    return result, said


def part(name, *texts):
    parts.append("## " + name)
    parts.extend(str(t) for t in texts)


intercept, _ = fit("Weight ~ Time", dietox, groups="Pig")
slopes, warned = fit("Weight ~ Time", dietox, groups="Pig", re_formula="~ Time")
part("version", statsmodels.__version__)
part("intercept", intercept.summary())
part("slopes", slopes.summary(), *[w[:88] for w in warned])
part("slopes_llf", f"{slopes.llf:.4f}", slopes.converged)

spruces, warned = fit("size ~ Time", sitka, groups="tree", re_formula="~ Time")
part("sitka_llf", f"{spruces.llf:.4f}", spruces.converged, *[w[:88] for w in warned])

larger, _ = fit("Weight ~ Time", dietox.assign(Weight=10 * dietox.Weight), groups="Pig")
part("errors", f"{intercept.bse_re.iloc[0]:.4f}", f"{larger.bse_re.iloc[0]:.4f}")

part("params", intercept.params.round(6).to_string())
part("cov_re", intercept.cov_re.round(4).to_string())
part("tvalues", intercept.tvalues.round(4).to_string())
part("t_test", intercept.t_test(np.array([[1.0, 12.0]])))
part("random_effects", *(f"{k} {v.iloc[0]:.4f}" for k, v in list(intercept.random_effects.items())[:3]))
part("predict", intercept.predict(pd.DataFrame({"Time": [1, 12]})).round(4).to_string())

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    profile = intercept.profile_re(0, vtype="re", num_low=2, dist_low=5, num_high=2, dist_high=5)
    part("profile", profile)

with open(out_file, "w") as out:
    out.write("\n".join(parts) + "\n")
