"""Reference results of statsmodels' penalised fits.

Usage: python tools/reference/reference_penalties.py <folder of data.R> <output file>

Needs statsmodels from PyPI (0.15.0 was used). One row per number:
model, part, name, value. MixedLM.fit_regularized is run with ceps = 0 and tight
tolerances, from tightly fitted covariances, on matrices: with the Series of newer versions of pandas it stops with an
error; `loglike` of the penalised model is taken at its own optimum.
"""

import csv
import datetime
import os
import platform
import sys
import warnings

import numpy as np
import pandas as pd
import statsmodels
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.base._penalties import L2, PSD
from statsmodels.regression.mixed_linear_model import MixedLMParams

warnings.simplefilter("ignore")
data_folder, out_file = sys.argv[1:3]


def read(name):
    return pd.read_csv(os.path.join(data_folder, name + ".csv"))


dietox = read("dietox")
sleep = read("sleepstudy")
TIGHT = dict(method=["nm", "bfgs"], xtol=1e-13, ftol=1e-13, gtol=1e-9, maxiter=5000)
rows = []


class Patient(sm.MixedLM):
    """The search is begun again where it ended, several times: one alone may end early."""

    def fit(self, **settings):
        result = super().fit(**settings)
        for method in ("bfgs", "nm", "bfgs", "lbfgs", "bfgs"):
            at = MixedLMParams.from_components(
                np.asarray(result.fe_params), np.asarray(result.cov_re_unscaled)
            )
            result = super().fit(**{**settings, "start_params": at, "method": method})
        return result



def put(model, part, values):
    for name, value in values:
        rows.append([model, part, name, repr(float(value))])


def tidy(name):
    return name.replace("Intercept", "(Intercept)").replace("[T.", "").replace("]", "")


MODELS = {
    "intercept": (dietox, "Weight ~ Time * Cu + Evit", "Pig", None, True),
    "intercept-ml": (dietox, "Weight ~ Time * Cu + Evit", "Pig", None, False),
    "slopes": (dietox, "Weight ~ Time * Cu + Evit", "Pig", "~Time", True),
    "sleep": (sleep, "Reaction ~ Days", "Subject", "~Days", False),
}

for key, (data, formula, groups, re_formula, reml) in MODELS.items():
    whole = smf.mixedlm(formula, data, groups=groups, re_formula=re_formula)
    names = [tidy(n) for n in whole.exog_names]
    make = lambda: Patient(whole.endog, whole.exog, whole.groups, exog_re=whole.exog_re)
    for alpha in (0.5, 5, 20, 200):
        fit = make().fit_regularized(
            alpha=alpha, ceps=0, ptol=1e-12, maxit=20000, reml=reml, **TIGHT
        )
        put(f"{key}/{alpha}", "fe_params", zip(names, fit.fe_params))
        put(f"{key}/{alpha}", "scale", [("scale", fit.scale)])
    weights = np.zeros(len(names))
    weights[1:] = 30
    fit = make().fit_regularized(
        alpha=weights, ceps=0, ptol=1e-12, maxit=20000, reml=reml, **TIGHT
    )
    put(f"{key}/vector", "fe_params", zip(names, fit.fe_params))

for key in ("intercept", "slopes", "sleep"):
    data, formula, groups, re_formula, reml = MODELS[key]
    model = smf.mixedlm(formula, data, groups=groups, re_formula=re_formula)
    for weight in (0.5, 2):
        fit = model.fit(cov_pen=PSD(weight), reml=reml, **TIGHT)
        name = f"{key}/psd {weight}"
        put(name, "fe_params", zip(map(tidy, fit.fe_params.index), fit.fe_params))
        cov = np.asarray(fit.cov_re_unscaled)
        put(name, "psi", [(f"{i}", v) for i, v in enumerate(cov[np.tril_indices(len(cov))])])
        put(name, "scale", [("scale", fit.scale)])
        put(name, "loglike", [("penalised", model.loglike(fit.params_object))])

# the penalised log-likelihood at given parameters, fixed effects not profiled out
model = smf.mixedlm("Weight ~ Time", dietox, groups="Pig")
for reml in (True, False):
    model.reml, model.fe_pen, model.cov_pen = reml, L2(0.3), PSD(0.7)
    at = MixedLMParams.from_components(np.array([14.0, 6.5]), np.array([[2.5]]))
    put("at", "reml" if reml else "ml", [("penalised", model.loglike(at, profile_fe=False))])

with open(out_file, "w", newline="") as f:
    f.write(
        f"# statsmodels {statsmodels.__version__}, Python {platform.python_version()}, "
        f"{datetime.date.today()}, tools/reference/reference_penalties.py\n"
    )
    writer = csv.writer(f, lineterminator="\n")
    writer.writerow(["model", "part", "name", "value"])
    writer.writerows(rows)
