"""Reference values of statsmodels: log-likelihood, score and Hessian at given parameters, packing, VCSpec, summary_col().

Usage: python tools/reference/reference_statsmodels_likelihood.py <folder of data.R> <output file> <file of tables>

Needs statsmodels from PyPI (0.15.0 was used). Writes one row per number, with the versions and the date in the
first line; and the printouts of summary_col(). `numeric` are central differences of its own log-likelihood, for what its Hessian is to be compared with.
"""

import csv
import datetime
import os
import platform
import sys

import numpy as np
import pandas as pd
import statsmodels
import statsmodels.formula.api as smf
from statsmodels.iolib.summary2 import summary_col
from statsmodels.regression.mixed_linear_model import MixedLM, MixedLMParams, VCSpec

data_folder, out_file, table_file = sys.argv[1:4]


def read(name):
    return pd.read_csv(os.path.join(data_folder, name + ".csv"))


dietox, sleep, pastes, penicillin = read("dietox"), read("sleepstudy"), read("Pastes"), read("Penicillin")
one_group = np.ones(len(penicillin))
cask = {"cask": "0 + C(cask)"}
crossed = {"plate": "0 + C(plate)", "sample": "0 + C(sample)"}

models = {
    "dietox": (
        smf.mixedlm("Weight ~ Time", dietox, groups="Pig"),
        dict(fe_params=[15.0, 7.0], cov_re=[[2.5]]),
    ),
    "sleepstudy": (
        smf.mixedlm("Reaction ~ Days", sleep, groups="Subject", re_formula="~Days"),
        dict(fe_params=[250.0, 10.0], cov_re=[[0.8, 0.1], [0.1, 0.2]]),
    ),
    "pastes": (
        smf.mixedlm("strength ~ 1", pastes, groups="batch", re_formula="~1", vc_formula=cask),
        dict(fe_params=[60.5], cov_re=[[1.7]], vcomp=[9.0]),
    ),
    "penicillin": (
        smf.mixedlm("diameter ~ 1", penicillin, groups=one_group, vc_formula=crossed),
        dict(fe_params=[23.5], vcomp=[2.0, 11.0]),
    ),
}

rows = []


def write(model, reml, what, values):
    values = np.asarray(values, dtype=float)
    for i, v in enumerate(values.ravel(order="F")):
        rows.append([model, reml, what, i + 1, repr(float(v))])


def difference(f, x):
    def slope(i, h):
        e = np.zeros(len(x))
        e[i] = h
        return (f(x + e) - f(x - e)) / (2 * h)

    steps = 1e-3 * np.maximum(np.abs(x), 0.1)
    return np.array([(4 * slope(i, h) - slope(i, 2 * h)) / 3 for i, h in enumerate(steps)])


for name, (model, parts) in models.items():
    parts = {k: np.array(v) for k, v in parts.items()}
    k_fe, k_re = model.k_fe, model.k_re
    model.cov_pen = model.fe_pen = model._freepat = None  # as fit() sets them
    new = lambda: MixedLMParams.from_components(**parts)  # noqa: E731  (score() changes what it is given)
    for use_sqrt in (False, True):
        for has_fe in (False, True):
            write(name, "", f"packed_{use_sqrt}_{has_fe}", new().get_packed(use_sqrt=use_sqrt, has_fe=has_fe))
    plain = new().get_packed(use_sqrt=False, has_fe=True)
    for reml in (True, False):
        model.reml = reml
        for profile_fe in (True, False):
            write(name, reml, f"loglike_{profile_fe}", [model.loglike(new(), profile_fe=profile_fe)])
            for use_sqrt in (False, True):
                model.use_sqrt = use_sqrt
                write(name, reml, f"score_{use_sqrt}_{profile_fe}", model.score(new(), profile_fe=profile_fe))
        model.use_sqrt = False
        write(name, reml, "hessian", model.hessian(new())[0])

        def score(x):
            at = MixedLMParams.from_packed(x, k_fe, k_re, use_sqrt=False, has_fe=True)
            return model.score(at, profile_fe=False)

        write(name, reml, "numeric", difference(score, plain))

# VCSpec: groups sorted, halves of each pig's weighings as random effects with one variance
early = dietox[dietox.Time <= 6].sort_values(["Pig", "Time"], kind="stable")
mats, colnames = [], []
for _, g in early.groupby("Pig"):
    mats.append(np.column_stack([g.Time <= 3, g.Time > 3]).astype(float))
    colnames.append(["first", "second"])
exog = np.column_stack([np.ones(len(early)), early.Time])
model = MixedLM(
    early.Weight, exog, early.Pig, exog_re=np.ones(len(early)), exog_vc=VCSpec(["half"], [colnames], [mats])
)
tight = dict(method=["nm", "bfgs"], xtol=1e-12, ftol=1e-12, gtol=1e-9, maxiter=5000)
fit = model.fit(**tight)
write("vc_spec", True, "llf", [fit.llf])
write("vc_spec", True, "params", fit.params)

one = smf.mixedlm("Weight ~ Time", dietox, groups="Pig").fit(**tight)
two = smf.mixedlm("Weight ~ Time + Cu", dietox, groups="Pig", re_formula="~Time").fit(reml=False, **tight)
info = {"N": lambda x: "%d" % x.nobs, "llf": lambda x: "%.3f" % x.llf}
tables = [
    summary_col([one, two], stars=True, model_names=["one", "two"], float_format="%.2f"),
    summary_col([one, two], float_format="%.2f"),
    summary_col([one, two], stars=True, float_format="%.1f", regressor_order=["Time"], info_dict=info),
    summary_col([one], model_names=["a rather long name"], float_format="%.2f"),
]
with open(table_file, "w", newline="") as f:
    f.write("\n----\n".join(str(t) for t in tables) + "\n")

with open(out_file, "w", newline="") as f:
    f.write(
        f"# statsmodels {statsmodels.__version__}, numpy {np.__version__}, pandas {pd.__version__}, "
        f"Python {platform.python_version()}, {datetime.date.today()}\n"
    )
    out = csv.writer(f, lineterminator="\n")
    out.writerow(["model", "reml", "what", "index", "value"])
    out.writerows(rows)
