"""Reference results of statsmodels: printed summaries, estimates, profiles.

Usage: python tools/reference/reference_statsmodels.py <folder of data.R> <output folder>

Needs statsmodels from PyPI (0.15.0 was used). Writes, for every model, the
printout of summary() as <name>.txt, and estimates.csv with all numbers, the
version of every program and the date.
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
import statsmodels.formula.api as smf
from numpy import log  # so that a formula's log(x) is called log(x)
from patsy import Helmert, Poly, Sum  # noqa: F401  (used inside formulas)
from statsmodels.regression.mixed_linear_model import MixedLMParams

warnings.simplefilter("ignore")
data_folder, out_folder = sys.argv[1:3]
os.makedirs(out_folder, exist_ok=True)


def read(name):
    return pd.read_csv(os.path.join(data_folder, name + ".csv"))


dietox = read("dietox")
dietox_large = dietox.assign(Weight=dietox.Weight * 1e6)
dietox_small = dietox.assign(Weight=dietox.Weight * 1e-6)
dietox_minus = dietox.assign(Weight=-dietox.Weight, late=dietox.Time > 6)
sleep = read("sleepstudy")
pastes = read("Pastes")
pastes_two = pastes.assign(lot=[str(i % 2) for i in range(len(pastes))])
oats = read("Oats").rename(columns={"yield": "harvest"})
oats["nitro"] = oats.nitro.astype(str)
orthodont = read("Orthodont")
penicillin = read("Penicillin")
penicillin["day"] = [1 + i % 7 for i in range(len(penicillin))]
penicillin["late"] = penicillin.day > 4
plates_and_samples = {"plate": "0 + plate", "sample": "0 + sample"}
everything = np.ones(len(penicillin))  # crossed factors: all rows are one group
near = MixedLMParams.from_components(np.array([15.7, 6.9]), np.diag([3.2, 0.07]))
diagonal = MixedLMParams.from_components(np.ones(2), np.eye(2))

# Its default search stops at four or five digits, and searches on function values
# cannot do much better. So every fit but the first is polished: a second search with tight
# tolerances, then Newton steps with statsmodels' own score and Hessian, and a last
# search that starts at the point so found and is content with it at once.
TIGHT = dict(method=["nm", "bfgs"], xtol=1e-13, ftol=1e-13, gtol=1e-8, maxiter=5000)


def newton(model, params, free):
    start = params
    if free is None:
        free = np.ones(len(params.get_packed(use_sqrt=False, has_fe=True)), dtype=bool)
    else:
        free = free.get_packed(use_sqrt=False, has_fe=True) != 0
    model.use_sqrt = False  # score() with respect to the covariances themselves
    for _ in range(8):
        packed = params.get_packed(use_sqrt=False, has_fe=True)
        score = np.asarray(model.score(params, profile_fe=False))
        hessian = np.asarray(model.hessian(params)[0])
        step = np.zeros_like(packed)
        step[free] = np.linalg.solve(hessian[np.ix_(free, free)], score[free])
        params = MixedLMParams.from_packed(
            packed - step, start.k_fe, start.k_re, use_sqrt=False, has_fe=True
        )
    model.use_sqrt = True
    return params


def fit(formula, data, groups, reml=True, polish=True, free=None, start=None, **kw):
    model = smf.mixedlm(formula, data, groups=groups, **kw)
    result = model.fit(reml=reml, free=free, start_params=start)
    if not polish:
        return result
    if free is None:  # this search does not honour `free`
        result = model.fit(reml=reml, start_params=result.params_object, **TIGHT)
    if result.params_object.get_packed(use_sqrt=False, has_fe=False).min() == 0 and free is None:
        return result
    try:
        best = newton(model, result.params_object, free)
        again = model.fit(reml=reml, free=free, start_params=best, method="bfgs", gtol=1e-2)
        if again.llf >= result.llf - 1e-8:
            return again
    except (ValueError, np.linalg.LinAlgError) as error:
        print("not polished:", formula, error)
        model.use_sqrt = True
    return result


MODELS = {
    "dietox-vector": (lambda: fit("Weight ~ Time", dietox, dietox["Pig"], polish=False), {}),
    "dietox-named-ml": (lambda: fit("Weight ~ Time", dietox, "Pig", reml=False), {}),
    "dietox-long-names": (
        lambda: fit("Weight ~ Cu * Time + Evit", dietox, "Pig"),
        {},
    ),
    "dietox-slopes-ml": (
        lambda: fit("Weight ~ Cu + Evit + Time", dietox, "Pig", reml=False, re_formula="~Time"),
        {},
    ),
    "dietox-diagonal-ml": (
        lambda: fit("Weight ~ Time", dietox, "Pig", reml=False, free=diagonal, start=near, re_formula="~Time"),
        {},
    ),
    "dietox-huge": (lambda: fit("Weight ~ Time", dietox_large, "Pig"), {}),
    "dietox-tiny": (lambda: fit("Weight ~ Time", dietox_small, "Pig"), {}),
    "dietox-negative": (
        lambda: fit("Weight ~ 0 + Cu + late + log(Time)", dietox_minus, "Pig"),
        {},
    ),
    "dietox-names": (
        lambda: fit("Weight ~ Time", dietox, "Pig"),
        dict(
            yname="a response with a long name",
            xname_fe=["const", "slope"],
            xname_re=["g"],
            title="Body weight",
            alpha=0.1,
        ),
    ),
    "dietox-alpha": (
        lambda: fit("Weight ~ Time", dietox, "Pig"),
        dict(alpha=0.001, title="A title that is a good deal wider than the table that it stands above"),
    ),
    "sleepstudy-slopes": (
        lambda: fit("Reaction ~ Days", sleep, "Subject", re_formula="~Days"),
        {},
    ),
    "sleepstudy-slopes-ml": (
        lambda: fit("Reaction ~ Days", sleep, "Subject", reml=False, re_formula="~Days"),
        dict(xname_re=["v0", "c01", "v1"], title=""),
    ),
    "sleepstudy-slope-only": (
        lambda: fit("Reaction ~ Days", sleep, "Subject", re_formula="~0 + Days"),
        {},
    ),
    "pastes-nested": (
        lambda: fit(
            "strength ~ 1", pastes, "batch", re_formula="~1", vc_formula={"cask": "0 + cask"}
        ),
        {},
    ),
    "pastes-two-components-ml": (
        lambda: fit(
            "strength ~ 1",
            pastes_two,
            "batch",
            reml=False,
            vc_formula={"zz": "0 + cask", "aa": "0 + lot"},
        ),
        {},
    ),
    "oats-poly": (
        lambda: fit(
            "harvest ~ C(nitro, Poly) + C(Variety, Sum)",
            oats,
            "Block",
            re_formula="~1",
            vc_formula={"Variety": "0 + Variety"},
        ),
        dict(
            xname_fe=[
                "Intercept", "nitro.Linear", "nitro.Quadratic", "nitro.Cubic",
                "Variety[S.Golden Rain]", "Variety[S.Marvellous]",
            ]
        ),
    ),
    "oats-helmert": (
        lambda: fit("harvest ~ C(Variety, Helmert) * C(nitro)", oats, "Block"),
        dict(
            xname_fe=["Intercept", "Variety[H.Marvellous]", "Variety[H.Victory]"]
            + ["nitro[T.%s]" % n for n in ("0.2", "0.4", "0.6")]
            + [
                "Variety[H.%s]:nitro[T.%s]" % (v, n)
                for n in ("0.2", "0.4", "0.6")
                for v in ("Marvellous", "Victory")
            ]
        ),
    ),
    "orthodont": (
        lambda: fit("distance ~ Sex * age", orthodont, "Subject", re_formula="~age"),
        {},
    ),
    "dyestuff": (lambda: fit("Yield ~ 1", read("Dyestuff"), "Batch"), {}),
    "dyestuff2": (lambda: fit("Yield ~ 1", read("Dyestuff2"), "Batch"), {}),
    "machines": (
        lambda: fit("score ~ Machine", read("Machines"), "Worker", re_formula="~Machine"),
        {},
    ),
    "rail-ml": (lambda: fit("travel ~ 1", read("Rail"), "Rail", reml=False), {}),
    "sitka-slopes": (
        lambda: fit("size ~ Time", read("Sitka"), "tree", re_formula="~Time"),
        {},
    ),
    "penicillin-crossed": (
        lambda: fit("diameter ~ 1", penicillin, everything, vc_formula=plates_and_samples),
        {},
    ),
    "penicillin-crossed-ml": (
        lambda: fit("diameter ~ 1", penicillin, everything, reml=False, vc_formula=plates_and_samples),
        {},
    ),
    "penicillin-covariate": (
        lambda: fit("diameter ~ late * day", penicillin, everything, vc_formula=plates_and_samples),
        {},
    ),
    "penicillin-covariate-ml": (
        lambda: fit("diameter ~ day", penicillin, everything, reml=False, vc_formula=plates_and_samples),
        {},
    ),
    "penicillin-three-ml": (
        lambda: fit(
            "diameter ~ 1",
            penicillin,
            everything,
            reml=False,
            vc_formula={"sample": "0 + sample", "plate": "0 + plate", "day": "0 + C(day)"},
        ),
        {},
    ),
}

VERSIONS = [
    "statsmodels " + statsmodels.__version__,
    "numpy " + np.__version__,
    "python " + platform.python_version(),
    datetime.date.today().isoformat(),
]


def main():
    rows = []
    for name, (run, options) in MODELS.items():
        result = run()
        with open(os.path.join(out_folder, name + ".txt"), "w") as f:
            print(result.summary(**options), file=f)
        fields = [("llf", result.llf), ("scale", result.scale), ("converged", int(result.converged))]
        fields += [("aic", result.aic), ("bic", result.bic), ("df_resid", result.df_resid)]
        fields += [("param:" + k, v) for k, v in result.params.items()]
        fields += [("bse:" + k, v) for k, v in result.bse.items()]
        rows += [(name, k, repr(float(v))) for k, v in fields]
        print(name, result.converged, result.llf)
    for name, ix, vtype, dist in [
        ("sitka-slopes", 0, "re", 0.1),
        ("pastes-nested", 0, "re", 0.5),
        ("pastes-nested", "cask", "vc", 0.5),
        ("dyestuff", 0, "re", 900),
        ("penicillin-crossed", "plate", "vc", 0.3),
    ]:
        profile = MODELS[name][0]().profile_re(ix, vtype, dist_low=dist, dist_high=dist)
        for i, (variance, value) in enumerate(profile):
            label = "profile:%s:%s:%d" % (vtype, ix, i)
            rows.append((name, label + ":variance", repr(float(variance))))
            rows.append((name, label + ":llf", repr(float(value))))
    with open(os.path.join(out_folder, "estimates.csv"), "w", newline="") as f:
        f.write("# " + ", ".join(VERSIONS) + ", tools/reference/reference_statsmodels.py\n")
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(["model", "quantity", "value"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
