"""Times one Python package on one model of bench/table.R, which calls this script.

    python bench/peers.py --versions
    python bench/peers.py <peer> <model.json> <data.csv> <answer.txt>

The packages: pip install statsmodels gpboost mixedlm mixedlm-rs patsy. The two with Rust cores are
imported as `mixedlm` and `mixedlm_rs`, so that all fit into one virtual environment. Neither is
the R package of this repository.

What is timed is the call that starts from a data frame and ends with a fit: formulas and design
matrices included; imports, the reading of the data and the coding of strings as categories not.
The answer has the lines that bench/peer.R describes.
"""

import gc
import importlib.metadata
import json
import re
import statistics
import sys
import time
import warnings

PACKAGES = {
    "statsmodels": "statsmodels",
    "gpboost": "gpboost",
    "gpboost-cholesky": "gpboost",
    "py-mixedlm": "mixedlm",
    "py-mixedlm-rs": "mixedlm-rs",
}
# statsmodels puts crossed effects into one group with a dense covariance matrix of all rows.
MOST_DENSE_ROWS = 2000


class Skip(Exception):
    """The package cannot fit this model; the text says why."""


def group_codes(data, group):
    """Codes 0, 1, ... of a grouping factor; of "a:b", of the combinations that occur."""
    parts = [data[name] for name in group.split(":")]
    return data.groupby(parts, observed=True, sort=False).ngroup().to_numpy()


def flat(matrix):
    """The elements of a matrix of any kind, as numbers."""
    import numpy

    return [float(v) for v in numpy.asarray(matrix, float).ravel()]


def claim(result):
    return "converged" if result.converged else "not converged"


class Statsmodels:
    """statsmodels' MixedLM, through formulas."""

    def __init__(self, model, data):
        import statsmodels.formula.api as smf

        groups, columns = model["groups"], model["columns"]
        crossed = model["structure"] == "crossed"
        self.mixedlm, self.data, self.reml = smf.mixedlm, data, model["reml"]
        self.groups, self.crossed = groups, crossed
        self.formula = f"{model['response']} ~ {model['fixed']}"
        if any(column != "1" for column in (columns if crossed else columns[1:])):
            where = "of crossed factors" if crossed else "below the outermost group"
            raise Skip(f"no correlated random effects {where}")
        if crossed:
            if len(data) > MOST_DENSE_ROWS:
                raise Skip(f"crossed effects take a dense matrix of {len(data)} rows and columns")
            self.options = {"groups": [0] * len(data)}
            parts = [":".join(f"C({name})" for name in group.split(":")) for group in groups]
        else:
            self.options = {"groups": groups[0], "re_formula": "~ " + columns[0]}
            parts = [f"C({group.split(':')[-1]})" for group in groups[1:]]
        if parts:
            self.options["vc_formula"] = {f"v{i}": "0 + " + part for i, part in enumerate(parts)}

    def fit(self):
        return self.mixedlm(self.formula, self.data, **self.options).fit(reml=self.reml)

    def read(self, result):
        groups = self.groups
        psi = dict.fromkeys(groups)
        variances = iter(result.vcomp)
        for i, group in enumerate(groups):
            first = i == 0 and not self.crossed
            psi[group] = flat(result.cov_re) if first else [next(variances)]
        return {"own": -2 * result.llf, "sigma2": result.scale, "psi": psi, "claim": claim(result)}


class GPBoost:
    """GPBoost's GPModel: ML only. By default crossed effects are fitted by iterative methods."""

    method = "default"

    def __init__(self, model, data):
        import gpboost
        import patsy

        if any(column != "1" for column in model["columns"]):
            raise Skip("no correlated random effects")
        self.gpboost, self.patsy, self.data = gpboost, patsy, data
        self.fixed = model["fixed"]
        self.y = data[model["response"]].to_numpy(float)
        self.names = model["groups"]
        self.groups = self.codes(model["groups"])

    def codes(self, groups):
        import numpy

        return numpy.column_stack([group_codes(self.data, group) for group in groups])

    def design(self):
        import numpy

        return numpy.asarray(self.patsy.dmatrix(self.fixed, self.data))

    def model(self, method):
        return self.gpboost.GPModel(
            group_data=self.groups, likelihood="gaussian", matrix_inversion_method=method
        )

    def fit(self):
        model = self.model(self.method)
        model.fit(y=self.y, X=self.design())
        return model

    def read(self, result):
        variances = [float(v) for v in result.get_cov_pars(format_pandas=False)]
        return {
            "own": 2 * result.get_current_neg_log_likelihood(),
            "sigma2": variances[0],
            "psi": {group: [v] for group, v in zip(self.names, variances[1:])},
            "claim": "none",
        }


class GPBoostCholesky(GPBoost):
    """GPBoost with exact factorisations."""

    method = "cholesky"


class PyMixedlm:
    """The package mixedlm of PyPI, which has lme4's formulas."""

    def __init__(self, model, data):
        import mixedlm

        self.lmer, self.data = mixedlm.lmer, data
        self.formula, self.reml = model["formula"], model["reml"]

    def fit(self):
        return self.lmer(self.formula, self.data, REML=self.reml)

    def read(self, result):
        found = result.VarCorr()
        psi = {name: flat(found.get_cov(name)) for name in found.groups}
        return {
            "own": -2 * float(result.logLik()),
            "sigma2": result.sigma**2,
            "psi": psi,
            "claim": claim(result),
            "said": f"{result.function_evals} evaluations, {result.optimizer}",
        }


class PyMixedlmRs:
    """The package mixedlm-rs of PyPI, which has statsmodels' arguments."""

    def __init__(self, model, data):
        import mixedlm_rs

        if model["structure"] != "grouped":
            raise Skip("one grouping factor only")
        self.mixedlm, self.data, self.reml = mixedlm_rs.mixedlm, data, model["reml"]
        self.formula, self.group = f"{model['response']} ~ {model['fixed']}", model["groups"][0]
        self.options = {"groups": model["groups"][0], "re_formula": "~ " + model["columns"][0]}

    def fit(self):
        return self.mixedlm(self.formula, self.data, **self.options).fit(reml=self.reml)

    def read(self, result):
        return {
            "own": -2 * result.llf,
            "sigma2": result.scale,
            "psi": {self.group: flat(result.cov_re)},
            "claim": claim(result),
        }


PEERS = {
    "statsmodels": Statsmodels,
    "gpboost": GPBoost,
    "gpboost-cholesky": GPBoostCholesky,
    "py-mixedlm": PyMixedlm,
    "py-mixedlm-rs": PyMixedlmRs,
}


def read_data(model, path):
    import pandas

    return pandas.read_csv(path, dtype={name: "category" for name in model["factors"]})


def resident(field):
    """A field of the process's memory in MiB (Linux), or nothing."""
    try:
        with open("/proc/self/status") as status:
            return int(re.search(rf"^{field}:\s*(\d+)", status.read(), re.M).group(1)) / 1024
    except (OSError, AttributeError):
        return None


def peak_memory(call):
    """The result of a call, and the highest resident memory in it above what was there before."""
    before = resident("VmRSS")
    try:
        with open("/proc/self/clear_refs", "w") as peak:
            peak.write("5")
    except OSError:
        before = None
    result = call()
    return result, None if before is None else resident("VmHWM") - before


def timed(call):
    gc.collect()
    cpu, start = time.process_time(), time.perf_counter()
    result = call()
    return result, (time.perf_counter() - start, time.process_time() - cpu)


def again(first, later, model):
    """Whether to call once more; the rule of bench/peer.R."""
    if not later:
        return first < model["limit"] / 3
    return len(later) < model["times"] and first + sum(t[0] for t in later) < model["budget"]


def run(peer, model, data, save):
    """The first call, and more of them within the budget; the answer is saved after the first."""
    fitter = PEERS[peer](model, data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (result, first), memory = peak_memory(lambda: timed(fitter.fit))
    passing = (DeprecationWarning, FutureWarning)
    said = [str(w.message) for w in caught if not issubclass(w.category, passing)]
    found = fitter.read(result)
    remark = [found["said"]] if "said" in found else []
    found["said"] = "; ".join(dict.fromkeys(remark + said))
    found["own"], found["sigma2"] = repr(float(found["own"])), repr(float(found["sigma2"]))
    for name, values in found.pop("psi").items():
        found["psi." + name] = " ".join(repr(float(v)) for v in values)
    answer = {
        "first": first[0],
        "seconds": first[0],
        "cpu": first[1],
        "runs": 1,
        "memory": memory,
        "kind": "REML" if model["reml"] and not isinstance(fitter, GPBoost) else "ML",
        "warnings": len(said),
        **found,
    }
    save(answer)
    later = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while again(first[0], later, model):
            later.append(timed(fitter.fit)[1])
    if later:
        answer["seconds"] = statistics.median(t[0] for t in later)
        answer["cpu"] = statistics.median(t[1] for t in later)
        answer["runs"] = len(later)
        save(answer)


def limit_memory(gibibytes):
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (int(gibibytes * 2**30),) * 2)
    except (ImportError, ValueError, OSError):
        pass


def versions():
    print(f"Python {sys.version.split()[0]}")
    for package in dict.fromkeys(PACKAGES.values()):
        try:
            print(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            pass


def main(peer, model_path, data_path, answer_path):
    def save(answer):
        with open(answer_path, "w") as file:
            for key, value in answer.items():
                if value is not None:
                    file.write(f"{key}\t{' '.join(str(value).split())}\n")

    with open(model_path) as file:
        model = json.load(file)
    limit_memory(model["memory_limit"])
    try:
        importlib.metadata.version(PACKAGES[peer])
        data = read_data(model, data_path)
        run(peer, model, data, save)
    except importlib.metadata.PackageNotFoundError:
        save({"skipped": "not installed"})
    except Skip as reason:
        save({"skipped": str(reason)})
    except MemoryError:
        save({"failed": f"more than {model['memory_limit']} GiB of memory"})
    except Exception as error:
        save({"failed": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    if sys.argv[1:] == ["--versions"]:
        versions()
    else:
        main(*sys.argv[1:])
