# Times MixedModels.jl on one model of bench/table.R, which calls this script where Julia is there:
#   julia --threads=1 bench/peer.jl <model.json> <data.csv> <answer.txt>
#   julia bench/peer.jl --versions
# Julia needs its packages MixedModels, CSV, DataFrames and JSON. What is timed is the call from a
# data frame to a fit; the first call compiles. The answer has the lines that bench/peer.R describes.
using Pkg

function versions()
    println("Julia ", VERSION)
    for package in values(Pkg.dependencies())
        package.name == "MixedModels" && println("MixedModels.jl ", package.version)
    end
end

if ARGS == ["--versions"]
    versions()
    exit()
end

using CSV, DataFrames, JSON, LinearAlgebra, MixedModels, Statistics

# MixedModels.jl writes & where R writes : for the combinations of two factors.
formula_of(text) = eval(Meta.parse("@formula(" * replace(text, ":" => "&") * ")"))

function status(field)
    for line in eachline("/proc/self/status")
        startswith(line, field * ":") && return parse(Float64, split(line)[2]) / 1024
    end
    return NaN
end

function main(model_path, data_path, answer_path)
    model = JSON.parsefile(model_path)
    types = Dict(Symbol(name) => String for name in model["factors"])
    data = CSV.read(data_path, DataFrame; types)
    formula = formula_of(model["formula"])
    contrasts = Dict(Symbol(part) => Grouping() for g in model["groups"] for part in split(g, ":")
                     if !occursin(part, model["fixed"]))
    once() = fit(MixedModel, formula, data; REML=model["reml"], contrasts, progress=false)
    GC.gc()
    before = status("VmRSS")
    write("/proc/self/clear_refs", "5")
    first = @elapsed fitted = once()
    memory = status("VmHWM") - before
    later = Float64[]
    # one more call in any case: the first is compilation for the most part
    while isempty(later) ||
          length(later) < model["times"] && sum(later) < model["budget"]
        push!(later, @elapsed once())
    end
    seconds = isempty(later) ? first : median(later)
    sigma = fitted.sigma
    open(answer_path, "w") do file
        line(key, value) = println(file, key, "\t", value)
        line("first", first)
        line("seconds", seconds)
        line("runs", max(1, length(later)))
        line("memory", memory)
        line("own", objective(fitted))
        line("kind", model["reml"] ? "REML" : "ML")
        line("sigma2", sigma^2)
        for term in fitted.reterms
            psi = sigma^2 * Matrix(term.λ) * Matrix(term.λ)'
            line("psi." * replace(string(MixedModels.fname(term)), " & " => ":"), join(vec(psi), " "))
        end
        good = fitted.optsum.returnvalue in (:SUCCESS, :FTOL_REACHED, :XTOL_REACHED, :STOPVAL_REACHED)
        line("claim", good ? "converged" : "not converged")
        line("warnings", 0)
        line("said", "$(fitted.optsum.feval) evaluations, $(fitted.optsum.returnvalue)")
    end
end

main(ARGS...)
