"""Times one Python package on one model of bench/peers.R, which calls this script.

    python bench/peers.py --versions
    python bench/peers.py <peer> <model.json> <data.csv> <answer.txt>

The packages: pip install statsmodels gpboost mixedlm mixedlm-rs patsy. The two with Rust cores are
imported as `mixedlm` and `mixedlm_rs`, so that all fit into one virtual environment. Neither is
the R package of this repository.

What is timed is the call that starts from a data frame and ends with a fit: formulas and design
matrices included; the reading of the data and the coding of strings as categories not. The answer
has one line "key<tab>value" for each of: seconds (median), cpu (the same of all threads together),
runs, criterion (-2 log-likelihood, restricted for REML), kind (of the criterion), memory (MiB above
what there was before the first fit), remark; or else skipped or failed, the reason.
"""

import contextlib
import gc
import importlib.metadata
import json
import math
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


class Statsmodels:
    """statsmodels' MixedLM, through formulas."""

    def __init__(self, model, data):
        import statsmodels.formula.api as smf

        groups, columns = model["groups"], model["columns"]
        crossed = model["structure"] == "crossed"
        self.mixedlm, self.data, self.reml = smf.mixedlm, data, model["reml"]
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

    def describe(self, result):
        return -2 * result.llf, "" if result.converged else "converged: False"


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

    def describe(self, result):
        return 2 * result.get_current_neg_log_likelihood(), "its own value, with noise"

    def describe_exactly(self, result):
        """The iterative methods know the likelihood up to noise: here it is, exactly."""
        exact = self.model("cholesky")
        mean = self.design() @ result.get_coef(format_pandas=False)
        variances = result.get_cov_pars(format_pandas=False)
        value = 2 * exact.neg_log_likelihood(cov_pars=variances, y=self.y, fixed_effects=mean)
        return value, f"its own value {self.describe(result)[0]:.4f}"


class GPBoostCholesky(GPBoost):
    """GPBoost with exact factorisations."""

    method = "cholesky"

    def describe(self, result):
        return 2 * result.get_current_neg_log_likelihood(), ""

    def describe_exactly(self, result):
        return self.describe(result)


class PyMixedlm:
    """The package mixedlm of PyPI, which has lme4's formulas."""

    def __init__(self, model, data):
        import mixedlm

        self.lmer, self.data = mixedlm.lmer, data
        self.formula, self.reml = model["formula"], model["reml"]

    def fit(self):
        return self.lmer(self.formula, self.data, REML=self.reml)

    def describe(self, result):
        remark = f"{result.function_evals} evaluations, {result.optimizer}"
        return -2 * float(result.logLik()), remark


class PyMixedlmRs:
    """The package mixedlm-rs of PyPI, which has statsmodels' arguments."""

    def __init__(self, model, data):
        import mixedlm_rs

        if model["structure"] != "grouped":
            raise Skip("one grouping factor only")
        self.mixedlm, self.data, self.reml = mixedlm_rs.mixedlm, data, model["reml"]
        self.formula = f"{model['response']} ~ {model['fixed']}"
        self.options = {"groups": model["groups"][0], "re_formula": "~ " + model["columns"][0]}

    def fit(self):
        return self.mixedlm(self.formula, self.data, **self.options).fit(reml=self.reml)

    def describe(self, result):
        return -2 * result.llf, "" if result.converged else "converged: False"


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


def warm_up(peer):
    """A fit of next to nothing, which loads what is loaded late."""
    import pandas

    groups = [i // 4 for i in range(48)]
    y = [math.sin(9 * i) + math.sin(7 * (i // 4)) for i in range(48)]
    data = pandas.DataFrame({"y": y, "g": pandas.Categorical([f"g{g}" for g in groups])})
    model = {
        "response": "y", "fixed": "1", "groups": ["g"], "columns": ["1"], "structure": "grouped",
        "reml": False, "formula": "y ~ 1 + (1 | g)",
    }
    PEERS[peer](model, data).fit()


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


def run(peer, model, data, times, budget, save):
    """Fits until there are `times` runs or `budget` seconds are used up, but once at least.

    The answer is saved before a criterion is computed that the package itself does not.
    """
    fitter = PEERS[peer](model, data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (result, first), memory = peak_memory(lambda: timed(fitter.fit))
    times_taken = [first]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while len(times_taken) < times and sum(t[0] for t in times_taken) < budget:
            times_taken.append(timed(fitter.fit)[1])
    passing = (DeprecationWarning, FutureWarning)
    said = [str(w.message) for w in caught if not issubclass(w.category, passing)]
    answer = {
        "seconds": statistics.median(t[0] for t in times_taken),
        "cpu": statistics.median(t[1] for t in times_taken),
        "runs": len(times_taken),
        "kind": "REML" if model["reml"] and not isinstance(fitter, GPBoost) else "ML",
        "memory": memory,
    }

    def describe(how):
        criterion, remark = how(result)
        remarks = ([remark] if remark else []) + list(dict.fromkeys(said))
        save({**answer, "criterion": repr(float(criterion)), "remark": "; ".join(remarks)})

    describe(fitter.describe)
    if isinstance(fitter, GPBoost):
        with contextlib.suppress(Exception):
            describe(fitter.describe_exactly)


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
        warm_up(peer)
        run(peer, model, data, model["times"], model["budget"], save)
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
